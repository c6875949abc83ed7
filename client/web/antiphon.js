// Antiphon's browser SDK: one class, one call.
//
//   import { Call } from './antiphon.js';
//   const call = new Call({ server: 'https://agent.example', agent: 'reception', token });
//   call.addEventListener('state', ({ detail }) => console.log(detail.state));
//   call.addEventListener('transcript', ({ detail }) => console.log(detail.text));
//   await call.connect({ microphone: deviceId, audio: document.querySelector('audio') });
//   …
//   call.hangup();
//
// Events (all `CustomEvent`s; what they carry is in `detail`)
//
//   state       {state, reason?}   idle, connecting, connected, reconnecting, ended
//   ready       {version}          the agent understands our messages
//   message     {type, id?, data}  every RTVI message as it came
//   transcript  {text, final, timestamp}        what the user says
//   output      {text, segment_id, spoken_status, spoken_progress?}  what the agent says
//   speaking    {who, speaking}    `user` or `agent`
//   floor       {state, turn, generation, at_ms}   idle, user, settling, thinking, agent; contested: you
//               may be interrupting and the agent fades; yielding: it is silent and may go on
//   turn        {turn, generation, speech_ms, endpoint_ms?, …}   where the time of a turn went
//   heard       {generation, heard_ms, text, source, interrupted}  what the user heard of a reply;
//               `source` is how that is known: `reported` by this SDK, from the `round-trip`, `estimated`
//   stats       a Digest (see stats.js), four times a second
//   note        {text}             something worth a line in a log
//   error       {error}            an AntiphonError; the call is over only if `state` says so

import { AntiphonError, unsupported } from './errors.js';
import { listMicrophones, openMicrophone } from './microphone.js';
import { Path } from './path.js';
import { PlayoutMeter } from './playout.js';
import * as rtvi from './rtvi.js';
import { Signaling } from './signaling.js';
import { digest } from './stats.js';

export { AntiphonError, listMicrophones, openMicrophone, unsupported };

/** From the offer to media. A server on the other side of the world needs about one second. */
const CONNECT_TIMEOUT_MS = 15_000;
/** A path that fails and recovers by itself within this time is not restarted. */
const DISCONNECTED_GRACE_MS = 800;
/** The waits before each further attempt to restart ICE; after the last one the call is lost. */
const RESTART_WAITS_MS = [0, 1_000, 2_000, 4_000, 8_000];
/** How long a restarted path may take to carry media. */
const RESTART_TIMEOUT_MS = 6_000;
/** How often the counters are read, playout is reported and a `stats` event is sent. */
const STATS_INTERVAL_MS = 250;
const PING_INTERVAL_MS = 1_000;
/** How long the connection is kept for the server to hear that the call is over. */
const GOODBYE_TIMEOUT_MS = 500;

/** One call with an agent. Use it once. */
export class Call extends EventTarget {
  #endpoint;
  #signaling;
  #extraIceServers;
  #peer = null;
  #path = null;
  #channel = null;
  #track = null;
  #sender = null;
  #state = 'idle';
  #muted = false;
  #restarting = false;
  #graceTimer = null;
  #timers = [];
  #playout = new PlayoutMeter();
  #reportedMs = -1;
  #digest = undefined;
  #unlisten = new AbortController();
  #marks = {};

  /**
   * @param {object} [options]
   * @param {string} [options.server] base URL; this page's own server by default
   * @param {string} [options.agent] which agent to talk to; the server's default if not given
   * @param {string} [options.token] access key or join token
   * @param {RTCIceServer[]} [options.iceServers] beside those that the server names
   */
  constructor({ server, agent, token, iceServers = [] } = {}) {
    super();
    this.#endpoint = new URL('/v1/rtc', server ?? globalThis.location?.href);
    if (agent) this.#endpoint.searchParams.set('agent', agent);
    this.#signaling = new Signaling(this.#endpoint, token);
    this.#extraIceServers = iceServers;
  }

  /** `idle`, `connecting`, `connected`, `reconnecting` or `ended`. */
  get state() {
    return this.#state;
  }

  /** The user's voice, once there is a microphone. */
  get localStream() {
    return this.#track ? new MediaStream([this.#track]) : null;
  }

  /** The agent's voice, once connected. */
  get remoteStream() {
    const track = this.#peer?.getReceivers()[0]?.track;
    return track ? new MediaStream([track]) : null;
  }

  get muted() {
    return this.#muted;
  }

  /** Milliseconds: `microphone`, `answer` (offer to answer) and `connect` (offer to media). */
  get timing() {
    const { start, microphone, offer, answer, connected } = this.#marks;
    const between = (from, to) => (from === undefined || to === undefined ? null : to - from);
    return {
      microphone: between(start, microphone),
      answer: between(offer, answer),
      connect: between(offer, connected),
    };
  }

  /**
   * Opens the microphone and the call. Resolves when media flows.
   *
   * @param {object} [options]
   * @param {string} [options.microphone] device id
   * @param {MediaStreamTrack} [options.track] to send instead of a microphone's
   * @param {HTMLAudioElement} [options.audio] where the agent's voice is played
   * @throws {AntiphonError}
   */
  async connect({ microphone, track, audio } = {}) {
    if (this.#state !== 'idle') throw new Error('a Call can be connected once');
    this.#become('connecting');
    try {
      await this.#open({ microphone, track, audio });
    } catch (error) {
      this.#end('failed', error);
      throw error;
    }
  }

  /** Ends the call. */
  hangup() {
    this.#end('hangup');
  }

  /** Stops or resumes sending the user's voice. */
  mute(muted) {
    this.#muted = muted;
    if (this.#track) this.#track.enabled = !muted;
    this.#send(rtvi.mute(muted));
  }

  /**
   * Says something in writing.
   *
   * @param {string} text
   * @param {{interrupt?: boolean}} [options] `interrupt: false` waits for the agent to finish
   */
  sendText(text, { interrupt = true } = {}) {
    if (!this.#send(rtvi.sendText(text, interrupt))) {
      throw new AntiphonError('not-connected', 'There is no call to send the text to.');
    }
  }

  /** Changes to another microphone without interrupting the call. */
  async setMicrophone(deviceId) {
    const track = await openMicrophone(deviceId);
    if (this.#state === 'ended') return track.stop();
    const old = this.#track;
    track.enabled = !this.#muted;
    await this.#sender?.replaceTrack(track);
    this.#track = track;
    old?.stop();
    return undefined;
  }

  /** The numbers of the call as of the last quarter second; see stats.js. */
  getStats() {
    return this.#digest ?? null;
  }

  /** Finds a new network path, as happens by itself when the network changes. */
  restartIce(reason = 'asked for') {
    void this.#restart(reason);
  }

  // ---- Connecting ----

  async #open({ microphone, track, audio }) {
    const problem = unsupported();
    if (problem) throw problem;
    this.#mark('start');
    this.#watchNetwork();
    // The user may take a while to allow the microphone: ask the server meanwhile.
    const servers = this.#signaling.iceServers();
    this.#track = track ?? (await openMicrophone(microphone));
    this.#mark('microphone');
    if (this.#state === 'ended') return this.#track.stop();
    this.#createPeer([...this.#extraIceServers, ...(await servers)], audio);
    this.#mark('offer');
    const iceServers = await this.#path.open();
    this.#mark('answer');
    // Credentials made for this very call; they count from the next restart on.
    if (iceServers.length > 0 && this.#state !== 'ended') {
      this.#peer.setConfiguration({ iceServers: [...this.#extraIceServers, ...iceServers] });
    }
    const isConnected = await this.#path.connected(CONNECT_TIMEOUT_MS);
    if (!isConnected && this.#state !== 'ended') {
      throw new AntiphonError(
        'no-media-path',
        'The server answered, but no audio path to it was found. A firewall may block UDP.',
      );
    }
    return undefined;
  }

  #createPeer(iceServers, audio) {
    const peer = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    this.#peer = peer;
    const stream = new MediaStream([this.#track]);
    const transceiver = peer.addTransceiver(this.#track, {
      direction: 'sendrecv',
      streams: [stream],
    });
    this.#sender = transceiver.sender;
    peer.onconnectionstatechange = () => this.#pathChanged();
    peer.ontrack = ({ track }) => {
      if (!audio) return;
      audio.srcObject = new MediaStream([track]);
      audio.play().catch((cause) => {
        const message = 'The browser does not play sound before you touch the page.';
        this.#emit('error', {
          error: new AntiphonError('unsupported-browser', message, { cause }),
        });
      });
    };
    const channel = peer.createDataChannel('chat', { ordered: true });
    this.#channel = channel;
    channel.onopen = () => {
      this.#send(rtvi.clientReady());
      if (this.#muted) this.#send(rtvi.mute(true));
    };
    channel.onmessage = ({ data }) => this.#received(data);
    channel.onclose = () => this.#end('agent-left');
    this.#path = new Path(peer, this.#signaling, (text) => this.#emit('note', { text }));
  }

  // ---- Staying connected ----

  #pathChanged() {
    const state = this.#peer.connectionState;
    this.#emit('note', { text: `Transport: ${state}` });
    clearTimeout(this.#graceTimer);
    if (state === 'connected' && !this.#restarting) {
      if (this.#marks.connected === undefined) this.#mediaFlows();
      this.#become('connected');
    } else if (state === 'disconnected') {
      const restart = () => this.#restart('the path went silent');
      this.#graceTimer = setTimeout(restart, DISCONNECTED_GRACE_MS);
    } else if (state === 'failed') {
      if (this.#marks.connected === undefined)
        this.#path.close(); // `#open` need not wait longer.
      else void this.#restart('the path failed');
    } else if (state === 'closed') {
      this.#end('agent-left');
    }
  }

  #mediaFlows() {
    this.#mark('connected');
    this.#every(STATS_INTERVAL_MS, () => this.#readStats());
    this.#every(PING_INTERVAL_MS, () => this.#send(rtvi.ping(Date.now())));
  }

  #watchNetwork() {
    const { signal } = this.#unlisten;
    globalThis.addEventListener?.('online', () => this.#restart('the network is back'), { signal });
    globalThis.addEventListener?.('pagehide', () => this.hangup(), { signal });
    const connection = globalThis.navigator?.connection;
    let type = connection?.type;
    connection?.addEventListener?.(
      'change',
      () => {
        // It also fires for every new bandwidth estimate.
        if (connection.type === type) return;
        type = connection.type;
        void this.#restart(`the network changed to ${type}`);
      },
      { signal },
    );
  }

  async #restart(reason) {
    if (this.#restarting || !['connected', 'reconnecting'].includes(this.#state)) return;
    this.#restarting = true;
    this.#become('reconnecting', reason);
    for (const waitMs of RESTART_WAITS_MS) {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (this.#state === 'ended') return;
      const outcome = await this.#path.restart(RESTART_TIMEOUT_MS);
      if (this.#state === 'ended') return;
      if (outcome === 'connected') {
        this.#restarting = false;
        this.#become('connected', 'a new path was found');
        return;
      }
      if (outcome === 'gone') break;
    }
    const error = new AntiphonError('lost', 'The connection was lost and could not be restored.');
    this.#end('lost', error);
  }

  // ---- Messages ----

  #send(text) {
    if (this.#channel?.readyState !== 'open') return false;
    this.#channel.send(text);
    return true;
  }

  #received(text) {
    const message = typeof text === 'string' ? rtvi.parse(text) : null;
    if (message === null) return;
    this.#emit('message', message);
    const { type, data } = message;
    const speaking = /^(user|bot)-(started|stopped)-speaking$/.exec(type);
    if (speaking) {
      const who = speaking[1] === 'bot' ? 'agent' : 'user';
      this.#emit('speaking', { who, speaking: speaking[2] === 'started' });
    } else if (type === 'bot-ready') this.#emit('ready', { version: data.version });
    else if (type === 'user-transcription') this.#emit('transcript', data);
    else if (type === 'bot-output') this.#emit('output', data);
    else if (type === 'server-message') this.#receivedServerMessage(data);
    else if (type === 'peerLeft') this.#end('agent-left');
    else if (type === 'error') {
      const text = data.message ?? data.error ?? 'The agent failed.';
      this.#emit('error', { error: new AntiphonError('agent', text) });
    }
  }

  #receivedServerMessage({ type, ...detail }) {
    if (type === 'floor') {
      const { state, generation } = detail;
      if (state === 'agent') this.#playout.replyStarted(generation, performance.now());
      if (state === 'contested' || state === 'yielding') this.#playout.held(performance.now());
      this.#emit('floor', detail);
    } else if (type === 'turn' || type === 'heard' || type === 'used') {
      this.#emit(type, detail);
    }
  }

  async #readStats() {
    const report = await this.#peer.getStats();
    if (this.#state === 'ended') return;
    this.#digest = digest(report.values(), this.#digest);
    this.#playout.counted(this.#digest.emittedMs, performance.now());
    const playout = this.#playout.report();
    // While the agent is held, what it has played decides what it is told was heard: say it again.
    if (playout && (this.#playout.isHeld || playout.playedMs !== this.#reportedMs)) {
      this.#reportedMs = playout.playedMs;
      this.#send(rtvi.playout(playout));
    }
    this.#emit('stats', this.#digest);
  }

  // ---- State ----

  #become(state, reason) {
    if (this.#state === state || this.#state === 'ended') return;
    this.#state = state;
    this.#emit('state', { state, reason });
  }

  #end(reason, error) {
    if (this.#state === 'ended') return;
    this.#become('ended', reason);
    if (error) this.#emit('error', { error });
    // A call that the agent has ended is not there any more. One that goes silent before it is ended
    // would be gone by then, so the connection is closed last.
    const told = reason === 'agent-left' ? Promise.resolve() : this.#signaling.end();
    const patience = new Promise((resolve) => setTimeout(resolve, GOODBYE_TIMEOUT_MS));
    void Promise.race([told, patience]).then(() => this.#peer?.close());
    this.#release();
  }

  /** Falls silent and stops all that is under way. */
  #release() {
    this.#unlisten.abort();
    this.#timers.forEach(clearInterval);
    clearTimeout(this.#graceTimer);
    this.#path?.close();
    if (this.#peer) {
      this.#peer.onconnectionstatechange = null;
      this.#peer.getReceivers().forEach(({ track }) => track.stop());
    }
    this.#track?.stop();
  }

  #every(intervalMs, action) {
    this.#timers.push(setInterval(action, intervalMs));
  }

  #mark(name) {
    this.#marks[name] = performance.now();
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
