// The life of a call, with a peer connection and a server that do what the test says.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { Call } from './antiphon.js';

const SDP = 'v=0\r\nm=audio 9 x 0\r\na=ice-ufrag:old\r\na=ice-pwd:old\r\na=mid:0\r\n';
const FRAGMENT = 'a=ice-ufrag:new\r\na=ice-pwd:new\r\nm=audio 9 x 0\r\na=mid:0\r\n';

class FakeChannel {
  readyState = 'connecting';
  sent = [];

  send(text) {
    this.sent.push(text.startsWith('ping') ? 'ping' : JSON.parse(text).type);
  }

  receives(type, data) {
    this.onmessage({ data: JSON.stringify({ label: 'rtvi-ai', type, data }) });
  }
}

class FakePeer extends EventTarget {
  static made;
  static findsPaths = true;
  connectionState = 'new';
  signalingState = 'stable';
  currentRemoteDescription = null;
  channel = new FakeChannel();
  offers = [];

  constructor() {
    super();
    FakePeer.made = this;
  }

  addTransceiver(track) {
    return { sender: { replaceTrack: async () => {} }, track };
  }

  getReceivers() {
    return [];
  }

  createDataChannel(label) {
    assert.equal(label, 'chat');
    return this.channel;
  }

  async createOffer(options) {
    this.offers.push(options ?? {});
    return { type: 'offer', sdp: SDP };
  }

  async setLocalDescription(description) {
    this.localDescription = description;
    this.signalingState = description.type === 'rollback' ? 'stable' : 'have-local-offer';
  }

  async setRemoteDescription(description) {
    this.currentRemoteDescription = description;
    this.signalingState = 'stable';
    this.become(FakePeer.findsPaths ? 'connected' : 'failed');
  }

  async getStats() {
    return new Map();
  }

  become(state) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  close() {
    this.connectionState = 'closed';
  }
}

const real = { fetch: globalThis.fetch };
let requests;
let restartStatus;
let track;

beforeEach(() => {
  requests = [];
  restartStatus = 200;
  FakePeer.findsPaths = true;
  track = {
    enabled: true,
    stopped: false,
    stop() {
      this.stopped = true;
    },
  };
  globalThis.RTCPeerConnection = FakePeer;
  globalThis.MediaStream = class {};
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { mediaDevices: { getUserMedia: async () => ({ getAudioTracks: () => [track] }) } },
  });
  globalThis.fetch = async (url, { method, headers }) => {
    requests.push(`${method} ${new URL(url).pathname}`);
    if (method === 'POST')
      return new Response(SDP, { status: 201, headers: { location: '/v1/rtc/c1', etag: '"1"' } });
    if (method === 'PATCH' && headers['if-match'] === '*') {
      return new Response(restartStatus === 200 ? FRAGMENT : '{}', {
        status: restartStatus,
        headers: { etag: '"2"' },
      });
    }
    return new Response(null, { status: method === 'PATCH' ? 204 : 200 });
  };
});

afterEach(() => {
  globalThis.fetch = real.fetch;
});

/** A call and all it told, each event as one line. */
function record() {
  const call = new Call({ server: 'http://agent.example/' });
  const told = [];
  const lines = {
    state: ({ state, reason }) => [state, reason].filter(Boolean).join(': '),
    floor: ({ state }) => `floor ${state}`,
    speaking: ({ who, speaking }) => `${who} ${speaking}`,
    transcript: ({ text }) => `said ${text}`,
    heard: ({ heard_ms: ms }) => `heard ${ms}`,
    error: ({ error }) => `error ${error.code}`,
  };
  for (const [type, line] of Object.entries(lines)) {
    call.addEventListener(type, ({ detail }) => told.push(line(detail)));
  }
  return { call, told };
}

function until(call, state) {
  return new Promise((resolve) => {
    call.addEventListener('state', ({ detail }) => detail.state === state && resolve());
  });
}

test('a call connects, tells what is said and ends on both sides', async () => {
  const { call, told } = record();
  await call.connect();
  const { channel } = FakePeer.made;
  channel.readyState = 'open';
  channel.onopen();
  channel.receives('server-message', {
    type: 'floor',
    state: 'user',
    turn: 1,
    generation: 0,
    at_ms: 1,
  });
  channel.receives('user-started-speaking');
  channel.receives('user-transcription', { text: 'hello', final: true });
  channel.receives('bot-stopped-speaking');
  channel.receives('server-message', { type: 'heard', generation: 1, heard_ms: 9 });
  call.sendText('hi');
  call.mute(true);
  assert.equal(track.enabled, false);
  call.hangup();
  assert.deepEqual(told, [
    'connecting',
    'connected',
    'floor user',
    'user true',
    'said hello',
    'agent false',
    'heard 9',
    'ended: hangup',
  ]);
  assert.deepEqual(channel.sent, ['client-ready', 'send-text', 'client-message']);
  assert.deepEqual(requests, ['OPTIONS /v1/rtc', 'POST /v1/rtc', 'DELETE /v1/rtc/c1']);
  assert.ok(track.stopped);
});

test('a path that fails is replaced, and the call goes on', async () => {
  const { call, told } = record();
  await call.connect();
  const back = until(call, 'connected');
  FakePeer.made.become('failed');
  await back;
  assert.deepEqual(told.slice(2), [
    'reconnecting: the path failed',
    'connected: a new path was found',
  ]);
  assert.deepEqual(FakePeer.made.offers, [{}, { iceRestart: true }]);
  assert.match(FakePeer.made.currentRemoteDescription.sdp, /a=ice-ufrag:new/);
  call.hangup();
});

test('a call that the server has forgotten is lost at once', async () => {
  const { call, told } = record();
  await call.connect();
  restartStatus = 404;
  const over = until(call, 'ended');
  FakePeer.made.become('failed');
  await over;
  await Promise.resolve();
  assert.deepEqual(told.slice(2), ['reconnecting: the path failed', 'ended: lost', 'error lost']);
  assert.equal(FakePeer.made.signalingState, 'stable', 'the offer was not rolled back');
});

test('a path that recovers by itself is left alone, a silent one is not', async (t) => {
  const { call, told } = record();
  await call.connect();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  FakePeer.made.become('disconnected');
  t.mock.timers.tick(700);
  FakePeer.made.become('connected');
  t.mock.timers.tick(10_000);
  assert.deepEqual(told.slice(2), []);
  FakePeer.made.become('disconnected');
  t.mock.timers.tick(900);
  assert.deepEqual(told.slice(2), ['reconnecting: the path went silent']);
  call.hangup();
});

test('the agent may leave, and no path is an error of its own', async () => {
  const left = record();
  await left.call.connect();
  FakePeer.made.channel.onmessage({ data: '{"type":"signalling","message":{"type":"peerLeft"}}' });
  assert.deepEqual(left.told.slice(2), ['ended: agent-left']);
  assert.ok(!requests.includes('DELETE /v1/rtc/c1'), 'it is over on the other side already');

  const { call, told } = record();
  FakePeer.findsPaths = false;
  await assert.rejects(call.connect(), { code: 'no-media-path' });
  assert.deepEqual(told, ['connecting', 'ended: failed', 'error no-media-path']);
  assert.throws(() => call.sendText('x'), { code: 'not-connected' });
});

test('a hang-up before the microphone was allowed leaves nothing behind', async () => {
  let allow;
  navigator.mediaDevices.getUserMedia = () =>
    new Promise((resolve) => {
      allow = () => resolve({ getAudioTracks: () => [track] });
    });
  FakePeer.made = null;
  const { call, told } = record();
  const connecting = call.connect();
  call.hangup();
  allow();
  await connecting;
  assert.deepEqual(told, ['connecting', 'ended: hangup']);
  assert.ok(track.stopped);
  assert.equal(FakePeer.made, null);
});
