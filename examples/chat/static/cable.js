// A client for Action Cable's protocol, with the words of @rails/actioncable: createConsumer(),
// subscriptions.create(params, {connected, disconnected, rejected, received}), perform(), unsubscribe().
// Where the server offers AnyCable's extension it also brings back what was missed ("history"), tells who is
// there ("presence") and passes on what is not kept ("whisper").

const PROTOCOLS = ["actioncable-v1-ext-json", "actioncable-v1-json"]
const STALE_SECONDS = 6 // two pings and a bit: the server sends one every three seconds
const LONGEST_WAIT_SECONDS = 15

export function createConsumer(path) {
  return new Consumer(path)
}

class Consumer {
  constructor(path) {
    this.url = new URL(path, location.href.replace(/^http/, "ws"))
    this.subscriptions = new Subscriptions(this)
    this.welcomed = false
    this.attempts = 0
    addEventListener("online", () => this.reconnectNow())
  }

  connect() {
    if (this.socket) return
    const socket = this.socket = new WebSocket(this.url, PROTOCOLS)
    socket.onmessage = ({data}) => this.#receive(JSON.parse(data))
    socket.onclose = () => this.#closed(socket)
    this.#heard()
  }

  reconnectNow() {
    if (this.welcomed || this.refused) return
    clearTimeout(this.retry)
    if (!this.socket) this.connect()
  }

  send(command) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false
    this.socket.send(JSON.stringify(command))
    return true
  }

  get extended() {
    return this.socket?.protocol === PROTOCOLS[0]
  }

  #receive(frame) {
    this.#heard()
    switch (frame.type) {
      case "welcome":
        this.welcomed = true
        this.attempts = 0
        this.subscriptions.all.forEach((each) => each.subscribe())
        break
      case "ping":
        this.serverTime = frame.message
        if (this.extended) this.send({command: "pong"})
        break
      case "disconnect":
        this.refused = !frame.reconnect
        this.socket.close()
        break
      default:
        this.subscriptions.notify(frame)
    }
  }

  // A line that is cut without a word is noticed by the silence.
  #heard() {
    clearTimeout(this.stale)
    const socket = this.socket
    this.stale = setTimeout(() => { socket.close(); this.#closed(socket) }, STALE_SECONDS * 1000)
  }

  #closed(socket) {
    if (socket !== this.socket) return
    clearTimeout(this.stale)
    this.socket = undefined
    this.welcomed = false
    this.subscriptions.all.forEach((each) => each.dropped(!this.refused))
    if (this.refused) return
    const wait = Math.min(2 ** this.attempts++, LONGEST_WAIT_SECONDS) * (0.5 + Math.random() / 2)
    this.retry = setTimeout(() => this.connect(), wait * 1000)
  }
}

class Subscriptions {
  constructor(consumer) {
    this.consumer = consumer
    this.all = []
  }

  create(params, callbacks) {
    const subscription = new Subscription(this.consumer, params, callbacks)
    this.all.push(subscription)
    this.consumer.connect()
    if (this.consumer.welcomed) subscription.subscribe()
    return subscription
  }

  remove(subscription) {
    this.all = this.all.filter((each) => each !== subscription)
    this.consumer.send({command: "unsubscribe", identifier: subscription.identifier})
  }

  notify(frame) {
    this.all.filter((each) => each.identifier === frame.identifier).forEach((each) => each.notify(frame))
  }
}

class Subscription {
  constructor(consumer, params, callbacks) {
    this.consumer = consumer
    this.identifier = JSON.stringify(params)
    this.positions = {} // of each stream: the last message that we have
    Object.assign(this, callbacks)
  }

  perform(action, data = {}) {
    return this.send({...data, action})
  }

  send(data) {
    return this.#command("message", {data: JSON.stringify(data)})
  }

  whisper(data) {
    return this.#command("whisper", {data})
  }

  unsubscribe() {
    this.consumer.subscriptions.remove(this)
  }

  // -- what the consumer calls

  subscribe() {
    const extension = this.consumer.extended ? {history: this.#missed(), presence: {}} : {}
    this.#command("subscribe", extension)
  }

  dropped(willAttemptReconnect) {
    if (!this.live) return
    this.live = false
    this.disconnected?.({willAttemptReconnect})
  }

  notify(frame) {
    switch (frame.type) {
      case "confirm_subscription":
        this.live = true
        if (this.consumer.extended) this.#command("presence")
        this.connected?.({reconnected: this.before === true})
        this.before = true
        break
      case "reject_subscription":
        this.consumer.subscriptions.all = this.consumer.subscriptions.all.filter((each) => each !== this)
        this.rejected?.()
        break
      case "presence":
        this.present?.(frame.message)
        break
      case "reject_history":
        this.positions = {}
        this.since = undefined
        this.missed?.()
        break
      case "confirm_history":
        this.since = undefined
        break
      default:
        if (frame.stream_id) this.positions[frame.stream_id] = {epoch: frame.epoch, offset: frame.offset}
        this.received?.(frame.message)
    }
  }

  // Before the first message there is no position; the server's own clock says since when we listen.
  #missed() {
    if (Object.keys(this.positions).length) return {streams: this.positions}
    return {since: this.since ?? this.consumer.serverTime ?? Date.now() / 1000}
  }

  #command(command, fields = {}) {
    return this.consumer.send({command, identifier: this.identifier, ...fields})
  }
}
