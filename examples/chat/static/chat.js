import { createConsumer } from "./cable.js"

const HOUR = 3600
const TYPING_SECONDS = 3
const $ = (id) => document.getElementById(id)

// A guest who comes back, after a cut or a reload, is the same guest.
const me = sessionStorage.getItem("client") ?? crypto.getRandomValues(new Uint32Array(4)).join("-")
sessionStorage.setItem("client", me)

const consumer = createConsumer(`/chat/cable?client_id=${me}`)
const members = new Map()
const typing = new Map()
let room

function show(state, text) {
  document.body.dataset.state = state
  $("state").textContent = text
  const open = state === "connected"
  for (const field of $("speak").elements) field.disabled = !open
}

function element(tag, text, attributes = {}) {
  return Object.assign(document.createElement(tag), {textContent: text}, attributes)
}

function enter(name, of) {
  room?.unsubscribe()
  $("messages").replaceChildren()
  members.clear()
  typing.clear()
  showMembers()
  showTyping()
  room = consumer.subscriptions.create({channel: "ChatChannel", room: of, name}, {
    since: Math.floor(Date.now() / 1000) - HOUR, // what was said before we came
    connected: () => show("connected", `You are in ${of}.`),
    disconnected: () => show("disconnected", "The line is cut. Connecting again …"),
    rejected: () => show("rejected", "This room cannot be entered."),
    missed: () => $("messages").append(element("li", "Something that was said here is lost.", {className: "gap"})),
    received: (message) => message.typing ? hear(message) : add(message),
    present,
  })
}

function add({id, name, text, at}) {
  if ($(`message-${id}`)) return // after a gap the server may send again what we have
  const item = element("li", "", {id: `message-${id}`})
  item.append(element("b", `${name}: `), text)
  item.append(element("time", new Date(at).toLocaleTimeString(), {dateTime: at}))
  $("messages").append(item)
  item.scrollIntoView({block: "nearest"})
  typing.delete(name)
  showTyping()
}

function present({type, id, info, records}) {
  if (type === "info") {
    members.clear()
    for (const each of records ?? []) members.set(each.id, each.info.name)
  } else if (type === "join") {
    members.set(id, info.name)
  } else if (type === "leave") {
    members.delete(id)
  }
  showMembers()
}

function showMembers() {
  $("members").replaceChildren(...[...members.values()].sort().map((name) => element("li", name)))
}

function hear({typing: name}) {
  clearTimeout(typing.get(name))
  typing.set(name, setTimeout(() => { typing.delete(name); showTyping() }, TYPING_SECONDS * 1000))
  showTyping()
}

function showTyping() {
  const names = [...typing.keys()]
  $("typing").textContent = names.length ? `${names.join(", ")} typing …` : ""
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault()
  show("entering", "Entering …")
  enter($("name").value.trim(), $("room").value)
})

$("speak").addEventListener("submit", (event) => {
  event.preventDefault()
  const text = $("text").value.trim()
  if (text && room.perform("speak", {text})) $("text").value = ""
})

let lastWhisper = 0
$("text").addEventListener("input", () => {
  if (Date.now() - lastWhisper < 1000) return
  lastWhisper = Date.now()
  room.whisper({typing: $("name").value.trim()})
})
