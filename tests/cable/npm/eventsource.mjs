// The browser's EventSource, by the package that polyfills it.

import { EventSource } from 'eventsource'
import { emit, serve } from './lines.mjs'

const sources = new Map()

serve({
  connect({ client, url, headers, types }) {
    const fetching = (target, init) => fetch(target, { ...init, headers: { ...init.headers, ...headers } })
    const source = new EventSource(url, { fetch: fetching })
    sources.set(client, source)
    source.onopen = () => emit({ event: 'open', client })
    source.onerror = ({ code }) => emit({ event: 'error', client, code, state: source.readyState })
    for (const type of ['message', ...(types ?? [])]) {
      source.addEventListener(type, ({ data, lastEventId }) =>
        emit({ event: 'received', client, type, data, lastEventId })
      )
    }
  },
  close: ({ client }) => sources.get(client).close()
})
