// RTVI 2.x messages, as text for the data channel. Pure.

const LABEL = 'rtvi-ai';
const VERSION = '2.1.0';

let messagesMade = 0;

function message(type, data) {
  messagesMade += 1;
  return JSON.stringify({ label: LABEL, type, id: `c${messagesMade}`, data });
}

/** Tells that this client's handlers are in place. Answered by `bot-ready`. */
export function clientReady() {
  const about = { library: 'antiphon-web', library_version: '0.1.0' };
  return message('client-ready', { version: VERSION, about });
}

/** A typed turn. With `interrupt` it takes the floor at once. */
export function sendText(content, interrupt) {
  return message('send-text', { content, options: { run_immediately: interrupt } });
}

/** Tells the agent that the microphone is muted or not. */
export function mute(muted) {
  return message('client-message', { t: 'mute', d: { muted } });
}

/** Tells how much of a reply has come out of the loudspeaker. */
export function playout({ generation, playedMs }) {
  return message('client-message', {
    t: 'playout',
    d: { generation, played_ms: Math.round(playedMs) },
  });
}

/** A sign of life; not RTVI, but understood by every server of this kind. */
export function ping(epochMs) {
  return `ping: ${epochMs}`;
}

/**
 * Reads a message of the server.
 *
 * @param {string} text
 * @returns {{type: string, id?: string, data: any} | null} `null` for what is not a message.
 *   The transport's `peerLeft` comes as a message of that type.
 */
export function parse(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (value?.type === 'signalling' && typeof value.message?.type === 'string') {
    return { type: value.message.type, data: value.message };
  }
  if (value?.label !== LABEL || typeof value.type !== 'string') return null;
  return { type: value.type, id: value.id, data: value.data ?? {} };
}
