// A program that is driven by lines of JSON: requests on stdin, answers and events on stdout.
//
// A request is {"id", "op", ...}; its answer is {"id", "ok"} or {"id", "error"}. Everything else that
// happens is an event: {"event", "client", ...}.

import { createInterface } from 'node:readline'

export function emit(event) {
  process.stdout.write(JSON.stringify(event) + '\n')
}

export function serve(operations) {
  // A library that complains does so on stdout by default, where the answers are.
  for (const level of ['log', 'info', 'warn', 'debug']) console[level] = (...words) => console.error(...words)
  const lines = createInterface({ input: process.stdin })
  lines.on('line', async line => {
    const { id, op, ...given } = JSON.parse(line)
    try {
      const ok = await operations[op](given)
      emit({ id, ok: ok === undefined ? null : ok })
    } catch (error) {
      emit({ id, error: String(error?.reason || error?.message || error) })
    }
  })
  lines.on('close', () => process.exit(0))
  emit({ event: 'ready' })
}

// A class of sockets whose handshakes carry these headers, as a browser's carry its origin and its cookies.
export function socketsWith(WebSocket, { origin, headers } = {}) {
  return class extends WebSocket {
    constructor(url, protocols, options) {
      const sent = { ...headers, ...options?.headers }
      super(url, protocols, { ...options, origin, headers: sent, perMessageDeflate: false })
    }
  }
}
