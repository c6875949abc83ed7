import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PlayoutMeter } from './playout.js';

const report = (meter) => meter.report()?.playedMs;

test('nothing is reported before a reply', () => {
  const meter = new PlayoutMeter();
  meter.counted(400, 100);
  assert.equal(meter.report(), null);
});

test('what the buffer emitted since the reply began is what was played', () => {
  const meter = new PlayoutMeter();
  meter.counted(400, 1_000);
  meter.replyStarted(7, 1_100);
  meter.counted(500, 1_250);
  assert.deepEqual(meter.report(), { generation: 7, playedMs: 100 });
  meter.counted(700, 1_500);
  assert.equal(report(meter), 300);
  // A stall of the network: nothing is emitted, nothing was played.
  meter.counted(700, 2_500);
  assert.equal(report(meter), 300);
});

test('the tail of the reply before is not counted as this one', () => {
  const meter = new PlayoutMeter();
  meter.replyStarted(1, 0);
  meter.counted(1_000, 1_000);
  // Interrupted at 1 s; the next reply begins 200 ms after the last count, half of it old audio.
  meter.replyStarted(2, 1_200);
  meter.counted(1_250, 1_250);
  assert.deepEqual(meter.report(), { generation: 2, playedMs: 130 });
});

test('a repeated start changes nothing and a counter that starts anew does not go back', () => {
  const meter = new PlayoutMeter();
  meter.replyStarted(1, 0);
  meter.counted(600, 600);
  meter.replyStarted(1, 700);
  assert.equal(report(meter), 600);
  meter.counted(20, 900);
  assert.equal(report(meter), 600);
});

test('the silence while the agent is held is not of the reply', () => {
  const meter = new PlayoutMeter();
  meter.replyStarted(1, 0);
  meter.counted(1_000, 1_000);
  meter.held(1_000);
  meter.held(1_040);
  assert.ok(meter.isHeld);
  // What lay in the buffer is played, then nothing more of the reply.
  meter.counted(1_060, 1_060);
  assert.equal(report(meter), 1_060);
  meter.counted(1_400, 1_400);
  assert.equal(report(meter), 1_080);
  meter.replyStarted(1, 1_400);
  assert.ok(!meter.isHeld);
  meter.counted(2_000, 2_000);
  assert.equal(report(meter), 1_600);
  meter.replyStarted(2, 2_000);
  meter.counted(2_500, 2_500);
  assert.deepEqual(meter.report(), { generation: 2, playedMs: 500 });
});
