import assert from 'node:assert/strict';
import { test } from 'node:test';

import { axis, bars, duration, heardMs } from './latency.js';

const TURN = {
  turn: 1,
  generation: 2,
  speech_ms: 900,
  endpoint_ms: 200,
  transcript_ms: 150,
  first_text_ms: 230,
  first_audio_ms: 260,
  first_packet_ms: 270,
};

test('each bar begins at the latest moment before it', () => {
  const found = bars(TURN, { rttMs: 20, bufferMs: 40 }).map(({ key, fromMs, toMs }) => [
    key,
    fromMs,
    toMs,
  ]);
  assert.deepEqual(found, [
    ['endpoint', 0, 200],
    ['transcript', 0, 150],
    ['first_text', 200, 230],
    ['first_audio', 230, 260],
    ['first_packet', 260, 270],
    ['heard', 270, 330],
  ]);
});

test('a step that did not happen has no bar, nor has an estimate without its ground', () => {
  assert.deepEqual(bars({ turn: 1 }, null), []);
  assert.equal(heardMs(TURN, null), null);
  assert.equal(heardMs(TURN, { rttMs: null, bufferMs: 3 }), null);
  assert.equal(heardMs({ turn: 1 }, { rttMs: 1, bufferMs: 3 }), null);
  assert.equal(heardMs(TURN, { rttMs: 1, bufferMs: null }), 271);
});

test('the axis holds its values in three to six round steps', () => {
  for (let maxMs = 0; maxMs < 60_000; maxMs = maxMs * 1.3 + 1) {
    const { endMs, ticks } = axis(maxMs);
    assert.ok(endMs >= maxMs, `${maxMs}`);
    assert.ok(ticks.length >= 3 && ticks.length <= 6, `${maxMs}: ${ticks}`);
    assert.equal(ticks.at(-1), endMs);
  }
  assert.deepEqual(axis(930), { endMs: 1000, ticks: [0, 250, 500, 750, 1000] });
});

test('durations are short', () => {
  const rows = [
    [null, '–'],
    [3.14, '3.1 ms'],
    [38.4, '38 ms'],
    [999.4, '999 ms'],
    [1240, '1.24 s'],
  ];
  for (const [ms, text] of rows) assert.equal(duration(ms), text);
});
