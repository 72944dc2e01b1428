// @rails/actioncable, as an app uses it: consumers and subscriptions, by names that the test gives them.

import WebSocket from 'ws'
import { emit, serve, socketsWith } from './lines.mjs'

globalThis.addEventListener = globalThis.removeEventListener = () => {}
globalThis.document = { visibilityState: 'visible' }
const { adapters, createConsumer } = await import('@rails/actioncable')

const consumers = new Map()
const subscriptions = new Map()

function mixin(client, channel) {
  const tell = (event, more) => emit({ event, client, channel, ...more })
  return {
    connected: ({ reconnected } = {}) => tell('connected', { reconnected }),
    disconnected: ({ willAttemptReconnect } = {}) => tell('disconnected', { willAttemptReconnect }),
    rejected: () => tell('rejected'),
    received: message => tell('message', { message })
  }
}

function subscribe({ client, channel, params }) {
  const mixed = mixin(client, channel)
  subscriptions.set(`${client}/${channel}`, consumers.get(client).subscriptions.create(params, mixed))
}

function unsubscribe({ client, channel }) {
  subscriptions.get(`${client}/${channel}`).unsubscribe()
}

serve({
  connect({ client, url, origin, headers }) {
    // The library has one class of sockets for all its consumers.
    adapters.WebSocket = socketsWith(WebSocket, { origin, headers })
    consumers.set(client, createConsumer(url))
    consumers.get(client).connect()
  },
  close: ({ client }) => consumers.get(client).disconnect(),
  subscribe,
  unsubscribe,
  perform({ client, channel, action, data }) {
    subscriptions.get(`${client}/${channel}`).perform(action, data)
  },
  // All within one turn of the loop, as nobody by hand could.
  toggle({ client, channel, params, times }) {
    for (let time = 0; time < times; time++) {
      unsubscribe({ client, channel })
      subscribe({ client, channel, params })
    }
  }
})
