// Sockets of `ws`: what a library would not show, such as the answer to a handshake and the code of a close.

import WebSocket from 'ws'
import { emit, serve } from './lines.mjs'

const sockets = new Map()

async function refusalOf(response) {
  let body = ''
  for await (const chunk of response) body += chunk
  return { status: response.statusCode, body }
}

serve({
  connect: ({ client, url, protocols, origin, headers }) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url, protocols ?? [], { origin, headers, perMessageDeflate: false })
      sockets.set(client, socket)
      socket.on('open', () => resolve({ protocol: socket.protocol }))
      socket.on('unexpected-response', async (_, response) => resolve(await refusalOf(response)))
      socket.on('error', reject)
      socket.on('message', (data, binary) => emit({ event: 'frame', client, binary, frame: String(data) }))
      socket.on('close', (code, reason) => emit({ event: 'closed', client, code, reason: String(reason) }))
    }),
  send: ({ client, frame }) => sockets.get(client).send(frame),
  // One write, so that the server reads many frames at once.
  sendAll({ client, frames }) {
    const socket = sockets.get(client)
    socket._socket.cork()
    for (const frame of frames) socket.send(frame)
    socket._socket.uncork()
  },
  close: ({ client, code }) => sockets.get(client).close(code),
  terminate: ({ client }) => sockets.get(client).terminate()
})
