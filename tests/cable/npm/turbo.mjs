// Turbo's stream source in a page: an element is put into the document, and streams change what is there.

import { createRequire } from 'node:module'
import { Window } from 'happy-dom'
import WebSocket from 'ws'
import { emit, serve, socketsWith } from './lines.mjs'

const page = new Window({ url: 'http://127.0.0.1/' })
globalThis.window = page
for (const name of Object.getOwnPropertyNames(page)) {
  if (!(name in globalThis)) globalThis[name] = page[name]
}
for (const name of ['Event', 'CustomEvent', 'MessageEvent', 'EventTarget', 'DOMParser', 'document']) globalThis[name] = page[name]
const bound = name => (globalThis[name] = page[name].bind(page))
;['addEventListener', 'removeEventListener', 'dispatchEvent'].forEach(bound)

const { cable } = await import(createRequire(import.meta.url).resolve('@hotwired/turbo-rails'))
const { adapters, createConsumer } = await import('@rails/actioncable')

serve({
  connect({ url, origin }) {
    adapters.WebSocket = socketsWith(WebSocket, { origin })
    cable.setConsumer(createConsumer(url))
  },
  show: ({ html }) => {
    page.document.body.innerHTML = html
  },
  remove: ({ element }) => page.document.getElementById(element).remove(),
  // Rendering waits for frames of the page; what is there now is asked for again and again by the test.
  body: () => page.document.body.innerHTML
})
