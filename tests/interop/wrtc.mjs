// A call by libwebrtc (the native one, as `@roamhq/wrtc` packs it) that waits for all of its
// candidates before it offers, as simple WHIP clients do.
//
//   node wrtc.mjs URL --say speech.wav [--turns 2] [--agent NAME] [--token T]
//
// Says the file, waits for the reply and for its end, and says it again. Prints what it measured;
// the exit status is 0 if every turn was answered by sound and the events of a turn arrived.

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import wrtc from '@roamhq/wrtc';

import { parseWav } from '../browser/speech.js';

const RATE_HZ = 48_000;
const BLOCK = RATE_HZ / 100;
const BLOCK_MS = 10;
/** Louder than comfort noise, quieter than any speech. */
const SOUND_RMS = 0.01;
/** So much sound in a row is a reply; so much silence in a row is its end. */
const SOUND_BLOCKS = 3;
const SILENCE_BLOCKS = 80;
const CONNECT_TIMEOUT_MS = 10_000;
const REPLY_TIMEOUT_MS = 20_000;
const EXPECTED_EVENTS = [
  'bot-ready',
  'user-started-speaking',
  'user-stopped-speaking',
  'bot-started-speaking',
  'bot-stopped-speaking',
  'server-message:floor',
  'server-message:turn',
];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    say: { type: 'string' },
    turns: { type: 'string', default: '2' },
    agent: { type: 'string' },
    token: { type: 'string' },
  },
});

/** Plays blocks of speech on an exact 10 ms clock, silence between them. */
class Microphone {
  #source = new wrtc.nonstandard.RTCAudioSource();
  #queue = [];
  #spoken = null;

  track = this.#source.createTrack();

  start() {
    let sent = 0;
    const beginMs = performance.now();
    setInterval(() => {
      for (; sent * BLOCK_MS <= performance.now() - beginMs; sent += 1) this.#send();
    }, BLOCK_MS);
  }

  /** Resolves with the time at which the last block of speech was sent. */
  say(blocks) {
    this.#queue.push(...blocks);
    return new Promise((resolve) => {
      this.#spoken = resolve;
    });
  }

  #send() {
    const samples = this.#queue.shift() ?? new Int16Array(BLOCK);
    this.#source.onData({
      samples,
      sampleRate: RATE_HZ,
      bitsPerSample: 16,
      channelCount: 1,
      numberOfFrames: BLOCK,
    });
    if (this.#queue.length === 0) {
      this.#spoken?.(performance.now());
      this.#spoken = null;
    }
  }
}

/** Tells when sound begins and ends. */
class Loudspeaker {
  #loud = 0;
  #quiet = SILENCE_BLOCKS;
  #waiting = new Map();
  soundMs = 0;

  constructor(track) {
    const sink = new wrtc.nonstandard.RTCAudioSink(track);
    sink.ondata = ({ samples }) => this.#hear(rms(samples));
  }

  /** Resolves with the time at which three blocks of sound in a row began. */
  begins() {
    return this.#when('begins');
  }

  /** Resolves after 0.8 s of silence. */
  ends() {
    return this.#when('ends');
  }

  #hear(level) {
    if (level > SOUND_RMS) {
      this.#loud += 1;
      this.#quiet = 0;
      this.soundMs += BLOCK_MS;
      if (this.#loud === SOUND_BLOCKS)
        this.#tell('begins', performance.now() - SOUND_BLOCKS * BLOCK_MS);
    } else {
      this.#quiet += 1;
      this.#loud = 0;
      if (this.#quiet === SILENCE_BLOCKS) this.#tell('ends', performance.now());
    }
  }

  #when(what) {
    return new Promise((resolve) => {
      this.#waiting.set(what, resolve);
    });
  }

  #tell(what, atMs) {
    this.#waiting.get(what)?.(atMs);
    this.#waiting.delete(what);
  }
}

function rms(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length) / 32_768;
}

/** Speech without the silence around it, at 48 kHz, in blocks of 10 ms. */
function speechBlocks({ sampleRateHz, pcm }) {
  const samples = new Int16Array(
    pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + (pcm.length & ~1)),
  );
  const step = sampleRateHz / RATE_HZ;
  const at = (position) => {
    const index = Math.floor(position);
    const next = samples[Math.min(index + 1, samples.length - 1)];
    return samples[index] + (next - samples[index]) * (position - index);
  };
  const count = Math.floor(samples.length / step / BLOCK);
  const blocks = Array.from({ length: count }, (_, block) =>
    Int16Array.from({ length: BLOCK }, (_unused, index) => at((block * BLOCK + index) * step)),
  );
  const isLoud = (block) => rms(block) > SOUND_RMS;
  return blocks.slice(blocks.findIndex(isLoud), blocks.findLastIndex(isLoud) + 1);
}

function within(promise, timeoutMs, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what}: nothing within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function becomes(target, event, test) {
  return new Promise((resolve) => {
    const look = () => test() && resolve();
    target.addEventListener(event, look);
    look();
  });
}

async function offer(endpoint, sdp, headers) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', ...headers },
    body: sdp,
  });
  const body = await response.text();
  if (response.status !== 201) throw new Error(`the offer was refused: ${response.status} ${body}`);
  return { answer: body, location: new URL(response.headers.get('location'), endpoint) };
}

async function call() {
  const endpoint = new URL('/v1/rtc', positionals[0]);
  if (options.agent) endpoint.searchParams.set('agent', options.agent);
  const headers = options.token ? { authorization: `Bearer ${options.token}` } : {};
  const speech = speechBlocks(parseWav(await readFile(options.say)));
  const peer = new wrtc.RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  const microphone = new Microphone();
  const events = new Set();
  peer.addTrack(microphone.track, new wrtc.MediaStream([microphone.track]));
  const channel = peer.createDataChannel('chat');
  channel.onopen = () =>
    channel.send('{"label":"rtvi-ai","type":"client-ready","id":"w1","data":{"version":"2.1.0"}}');
  channel.onmessage = ({ data }) => {
    const { type, data: detail } = JSON.parse(data);
    events.add(type === 'server-message' ? `${type}:${detail.type}` : type);
  };
  const tracks = new Promise((resolve) => {
    peer.ontrack = ({ track }) => resolve(track);
  });

  await peer.setLocalDescription(await peer.createOffer());
  await becomes(peer, 'icegatheringstatechange', () => peer.iceGatheringState === 'complete');
  const offeredMs = performance.now();
  const { answer, location } = await offer(endpoint, peer.localDescription.sdp, headers);
  await peer.setRemoteDescription({ type: 'answer', sdp: answer });
  const connected = becomes(
    peer,
    'connectionstatechange',
    () => peer.connectionState === 'connected',
  );
  await within(connected, CONNECT_TIMEOUT_MS, 'connecting');
  console.log(`connect_ms: ${Math.round(performance.now() - offeredMs)}`);

  const loudspeaker = new Loudspeaker(await tracks);
  microphone.start();
  // A greeting may come first; it is let finish.
  await within(loudspeaker.begins(), 1_500, '').then(
    () => loudspeaker.ends(),
    () => {},
  );
  for (let turn = 1; turn <= Number(options.turns); turn += 1) {
    const spokenMs = await microphone.say(speech);
    // What began earlier answered a pause within the speech, and was interrupted by the rest of it.
    loudspeaker.soundMs = 0;
    const beganMs = await within(
      loudspeaker.begins(),
      REPLY_TIMEOUT_MS,
      `the reply to turn ${turn}`,
    );
    console.log(`response_ms: ${Math.round(beganMs - spokenMs)}`);
    await within(loudspeaker.ends(), REPLY_TIMEOUT_MS, `the end of the reply to turn ${turn}`);
    console.log(`reply_sound_ms: ${loudspeaker.soundMs}`);
  }
  await fetch(location, { method: 'DELETE', headers });
  console.log(`events: ${[...events].sort().join(' ')}`);
  const missing = EXPECTED_EVENTS.filter((event) => !events.has(event));
  if (missing.length > 0) throw new Error(`these events did not arrive: ${missing.join(' ')}`);
}

if (positionals.length !== 1 || !options.say) {
  console.error('usage: node wrtc.mjs URL --say speech.wav [--turns 2] [--agent NAME] [--token T]');
  process.exit(2);
}
call().then(
  () => {
    console.log('ok: libwebrtc held a conversation');
    process.exit(0);
  },
  (error) => {
    console.error(`failed: ${error.message}`);
    process.exit(1);
  },
);
