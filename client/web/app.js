// The page: one call at a time, and what is shown of it.

import { Call, listMicrophones } from './antiphon.js';
import { Connection } from './connection.js';
import { Conversation } from './conversation.js';
import { element } from './dom.js';
import { duration } from './latency.js';
import { Ballistics, Listener, fraction } from './levels.js';
import { Log } from './log.js';
import { Strip } from './strip.js';
import { Transcript } from './transcript.js';
import { Usage } from './usage.js';
import { Waterfall } from './waterfall.js';

const SILENT_DBFS = -60;

/** The floor's states in words: a title and what can be done now. */
const FLOOR = {
  idle: ['Listening', 'Say something.'],
  user: ['You are speaking', 'The agent listens.'],
  settling: ['You paused', 'A little longer and it is the agent’s turn.'],
  thinking: ['The agent is thinking', 'Speak, and it listens again.'],
  agent: ['The agent is speaking', 'Interrupt it whenever you like.'],
  contested: ['Both of you', 'Speak on to interrupt; after an “mhm” the agent goes on.'],
  yielding: ['The agent gives way', 'It listens, and goes on if that was nothing.'],
};

/** The call's states in words. */
const CALL = {
  idle: 'Not connected',
  connecting: 'Connecting',
  connected: 'Connected',
  reconnecting: 'Reconnecting',
  ended: 'Call ended',
};

const ENDED = {
  hangup: 'You hung up. Talk again whenever you like.',
  'agent-left': 'The agent hung up.',
  lost: 'The connection was lost.',
};

const find = (id) => document.getElementById(id);
const page = Object.fromEntries(
  [
    'talk',
    'talk-text',
    'mute',
    'microphone',
    'agent',
    'token',
    'options',
    'problem',
    'state-text',
    'voice',
    'floor-title',
    'floor-hint',
    'say',
    'say-text',
    'say-send',
    'meter-user',
    'meter-agent',
  ].map((id) => [id, find(id)]),
);
const log = new Log(find('log'));
const strip = new Strip(find('strip'));
const connection = new Connection(find('connection'));
const transcript = new Transcript(find('transcript'), find('transcript-empty'), find('announce'));
const waterfall = new Waterfall({
  chart: find('waterfall'),
  figure: find('latency-figure'),
  empty: find('waterfall-empty'),
  turns: find('turns'),
  used: find('used'),
});

/** The running call, if there is one. */
let call = null;
let conversation = new Conversation();
let usage = new Usage();
let audioContext = null;

// ---- Calling ----

async function talk() {
  const started = new Call({
    agent: page.agent.value.trim() || undefined,
    token: page.token.value.trim() || undefined,
  });
  call = started;
  conversation = new Conversation();
  transcript.clear();
  usage = new Usage();
  waterfall.clear(usage);
  strip.clear();
  log.restart();
  page.problem.hidden = true;
  listen(started);
  // Made here, because browsers let sound begin only where the user has just touched the page.
  audioContext ??= new AudioContext();
  void audioContext.resume();
  try {
    await started.connect({ microphone: page.microphone.value || undefined, audio: page.voice });
  } catch {
    return; // Shown by the `error` event.
  }
  if (started.state !== 'connected') return;
  log.add(
    `Connected in ${duration(started.timing.connect)} (answer after ${duration(started.timing.answer)})`,
  );
  void showMicrophones();
  watchLevels(started);
}

/** Shows what the call tells. */
function listen(started) {
  /** The turn whose reply has just begun to sound: when it is heard is not known yet. */
  let sounding = null;
  const on = (type, handle) =>
    started.addEventListener(type, ({ detail }) => {
      if (call === started) handle(detail);
    });
  on('state', ({ state, reason }) => showState(state, reason));
  on('note', ({ text }) => log.add(text));
  on('error', ({ error }) => showProblem(error));
  on('ready', ({ version }) => log.add(`Agent ready, RTVI ${version}`));
  on('floor', ({ state, at_ms: atMs, turn, generation }) => {
    showFloor(state);
    log.add(`Floor: ${state} (turn ${turn}, reply ${generation}, ${atMs} ms)`);
  });
  on('speaking', ({ who, speaking }) => {
    if (who === 'user' && speaking) transcript.show(conversation.userStarted());
    log.add(
      `${who === 'user' ? 'You' : 'Agent'} ${speaking ? 'started' : 'stopped'} speaking`,
      who,
    );
  });
  on('transcript', (said) => {
    const entry = conversation.userSaid(said);
    transcript.show(entry);
    if (said.final) transcript.announce(entry);
  });
  on('output', (said) => transcript.show(conversation.agentSaid(said)));
  on('heard', (heard) => {
    const entry = conversation.heard(heard);
    transcript.show(entry);
    transcript.announce(entry);
    if (heard.interrupted) {
      log.add(`Interrupted after ${duration(heard.heard_ms)} heard (${heard.source})`, 'agent');
    }
  });
  on('turn', (turn) => {
    waterfall.show(turn, null);
    sounding = { turn, digests: 0 };
  });
  on('used', (used) => {
    usage.add(used);
    waterfall.used(used.turn);
  });
  on('message', ({ type }) => {
    if (type !== 'bot-llm-started') return;
    const givenUp = conversation.replyStarted();
    if (givenUp) transcript.show(givenUp);
  });
  on('stats', (digest) => {
    connection.show(digest, started.timing);
    // The first digest is of a time when the reply was not in the jitter buffer yet.
    if (sounding === null || (sounding.digests += 1) < 2) return;
    waterfall.show(sounding.turn, digest);
    sounding = null;
  });
}

function showState(state, reason) {
  document.body.dataset.call = state;
  page['state-text'].textContent = CALL[state];
  const isOn = state !== 'ended';
  const isUp = state === 'connected' || state === 'reconnecting';
  page['talk-text'].textContent = isOn ? 'Hang up' : 'Talk';
  page.mute.disabled = !isUp;
  for (const id of ['say-text', 'say-send']) page[id].disabled = !isUp;
  log.add(CALL[state] + (reason ? `: ${reason}` : ''), state === 'reconnecting' ? 'bad' : '');
  if (state === 'connecting') showTitle('Connecting', 'Allow the microphone if the browser asks.');
  if (state === 'connected') showFloor(document.body.dataset.floor);
  if (state === 'reconnecting') showTitle('Reconnecting', `Looking for a new path: ${reason}.`);
  if (state === 'ended') {
    document.body.dataset.floor = 'idle';
    if (reason === 'failed') showTitle('No call yet', 'It did not come about: see below.');
    else showTitle('Call ended', ENDED[reason]);
    page.mute.setAttribute('aria-pressed', 'false');
    page.mute.textContent = 'Mute';
  }
}

function showFloor(state) {
  document.body.dataset.floor = state;
  if (call?.state === 'connected') showTitle(...(FLOOR[state] ?? FLOOR.idle));
}

function showTitle(title, hint) {
  page['floor-title'].textContent = title;
  page['floor-hint'].textContent = hint;
}

function showProblem(error) {
  page.problem.textContent = error.message;
  page.problem.hidden = false;
  log.add(error.message, 'bad');
  if (error.code === 'unauthorized') {
    page.options.open = true;
    page.token.focus();
  }
}

// ---- Levels ----

function watchLevels(started) {
  const user = { meter: page['meter-user'], ballistics: new Ballistics() };
  const agent = { meter: page['meter-agent'], ballistics: new Ballistics() };
  agent.listener = new Listener(audioContext, started.remoteStream);
  let track = null;
  let lastMs = performance.now();
  const frame = (nowMs) => {
    if (started.state === 'ended') {
      user.listener?.close();
      agent.listener.close();
      showLevel(user, SILENT_DBFS, 60_000);
      showLevel(agent, SILENT_DBFS, 60_000);
      return;
    }
    const stream = started.localStream;
    if (stream.getAudioTracks()[0] !== track) {
      user.listener?.close(); // Another microphone was chosen.
      user.listener = new Listener(audioContext, stream);
      [track] = stream.getAudioTracks();
    }
    const elapsedMs = nowMs - lastMs;
    lastMs = nowMs;
    const userDbfs = user.listener.dbfs();
    const agentDbfs = agent.listener.dbfs();
    showLevel(user, userDbfs, elapsedMs);
    showLevel(agent, agentDbfs, elapsedMs);
    strip.push(nowMs, userDbfs, agentDbfs, document.body.dataset.floor);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function showLevel({ meter, ballistics }, dbfs, elapsedMs) {
  const shown = ballistics.step(dbfs, elapsedMs);
  meter.firstElementChild.style.setProperty('--level', fraction(shown).toFixed(3));
  meter.setAttribute('aria-valuenow', String(Math.round(shown)));
  meter.setAttribute('aria-valuetext', shown <= SILENT_DBFS ? 'silent' : `${Math.round(shown)} dB`);
}

// ---- Microphones ----

async function showMicrophones() {
  const chosen = page.microphone.value;
  const options = (await listMicrophones()).map(({ deviceId, label }) =>
    element('option', { value: deviceId }, label),
  );
  page.microphone.replaceChildren(element('option', { value: '' }, 'System default'), ...options);
  page.microphone.value = options.some(({ value }) => value === chosen) ? chosen : '';
}

async function changeMicrophone() {
  if (call === null || call.state === 'ended') return;
  try {
    await call.setMicrophone(page.microphone.value || undefined);
    log.add('Microphone changed');
  } catch (error) {
    showProblem(error);
  }
}

// ---- Starting ----

/** `#token=…` is taken out of the address, so that it is not shared with it; `?agent=` stays. */
function readAddress() {
  page.agent.value = new URLSearchParams(location.search).get('agent') ?? '';
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (!fragment.has('token')) return;
  page.token.value = fragment.get('token');
  history.replaceState(null, '', location.pathname + location.search);
}

page.talk.addEventListener('click', () => {
  if (call === null || call.state === 'ended') void talk();
  else call.hangup();
});

page.mute.addEventListener('click', () => {
  call.mute(!call.muted);
  page.mute.setAttribute('aria-pressed', String(call.muted));
  page.mute.textContent = call.muted ? 'Unmute' : 'Mute';
  log.add(call.muted ? 'Microphone muted' : 'Microphone on', 'user');
});

page.say.addEventListener('submit', (event) => {
  event.preventDefault();
  const text = page['say-text'].value.trim();
  if (text === '') return;
  try {
    call.sendText(text);
    transcript.show(conversation.userTyped(text));
    page['say-text'].value = '';
  } catch (error) {
    showProblem(error);
  }
});

page.microphone.addEventListener('change', () => void changeMicrophone());
navigator.mediaDevices?.addEventListener?.('devicechange', () => void showMicrophones());
readAddress();
void showMicrophones();
