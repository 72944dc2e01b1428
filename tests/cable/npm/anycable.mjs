// @anycable/core in both of its protocols: cables and channels, by names that the test gives them.

import WebSocket from 'ws'
import { createCable } from '@anycable/core'
import * as msgpack from '@msgpack/msgpack'
import { emit, serve, socketsWith } from './lines.mjs'

const cables = new Map()
const channels = new Map()
const waiting = new Map()

const named = ({ client, channel }) => channels.get(`${client}/${channel}`)

function watch(client, cable) {
  cable.on('connect', ({ reconnect, restored }) =>
    emit({ event: 'connect', client, reconnect, restored, session: cable.sessionId })
  )
  cable.on('disconnect', error => emit({ event: 'disconnect', client, reason: error?.reason }))
  cable.on('keepalive', message => message && emit({ event: 'tick', client }))
  cable.on('close', error => emit({ event: 'close', client, reason: error?.reason ?? null }))
}

function listen(client, name, channel) {
  const tell = (event, more) => emit({ event, client, channel: name, ...more })
  channel.on('connect', ({ reconnect, restored }) => tell('connected', { reconnect, restored }))
  channel.on('disconnect', error => tell('disconnected', { reason: error?.reason }))
  channel.on('close', error => tell('closed', { error: error?.name ?? null }))
  channel.on('message', (message, meta) => tell('message', { message, offset: meta?.offset }))
  channel.on('info', ({ type }) => tell('info', { type }))
  channel.on('presence', message => tell('presence', { message }))
}

// The quick reconnections of a test; the library's own begin at two pings' time.
const soon = () => 100 + Math.random() * 100

serve({
  create({ client, url, protocol, origin, headers, token, refreshes, historyTimestamp, auth }) {
    const cable = createCable(url, {
      protocol,
      historyTimestamp,
      auth: token && { token },
      websocketAuthStrategy: auth,
      encoder: protocol.endsWith('msgpack') ? msgpack : undefined,
      websocketImplementation: socketsWith(WebSocket, { origin, headers }),
      reconnectStrategy: soon,
      logLevel: 'error',
      tokenRefresher: refreshes && (transport => refresh(client, transport))
    })
    cables.set(client, cable)
    watch(client, cable)
  },
  connect: ({ client }) => cables.get(client).connect(),
  close: ({ client }) => cables.get(client).disconnect(),
  // As after a disconnection by the server, or in another tab: the positions are known, the session is not.
  forget({ client }) {
    cables.get(client).setSessionId('')
  },
  subscribe: enter,
  streamFromSigned({ client, channel, name }) {
    const made = cables.get(client).streamFromSigned(name)
    channels.set(`${client}/${channel}`, made)
    listen(client, channel, made)
    return made.ensureSubscribed()
  },
  // All within one turn of the loop, as nobody by hand could.
  toggle({ client, channel, name, params, times }) {
    for (let time = 0; time < times; time++) {
      channels.get(`${client}/${channel}`).disconnect()
      channels.set(`${client}/${channel}`, cables.get(client).subscribeTo(name, params))
    }
    const made = channels.get(`${client}/${channel}`)
    listen(client, channel, made)
    return made.ensureSubscribed()
  },
  unsubscribe: given => named(given).disconnect(),
  perform: given => named(given).perform(given.action, given.data),
  whisper: given => named(given).whisper(given.data),
  join: given => named(given).presence.join(given.as, given.info),
  leave: given => named(given).presence.leave(),
  present: given => named(given).presence.info(),
  token: ({ client, token }) => waiting.get(client)(token)
})

function enter({ client, channel, name, params, persistent }) {
  const made = cables.get(client).subscribeTo(name, params)
  channels.set(`${client}/${channel}`, made)
  listen(client, channel, made)
  // The library gives a channel up, without a reason, when a cut hits it while its confirmation is on the way.
  // An application that wants to stay subscribes again; the positions in its streams are kept by the cable.
  if (persistent) {
    const again = () => enter({ client, channel, name, params, persistent }).catch(() => {})
    // In a later turn: the library forgets what it gave up behind this event.
    made.on('close', error => error || setTimeout(again))
  }
  return made.ensureSubscribed()
}

// Asks the test for a token, as an app asks its server.
async function refresh(client, transport) {
  emit({ event: 'refresh', client })
  transport.setToken(await new Promise(resolve => waiting.set(client, resolve)))
}
