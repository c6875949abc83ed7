import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Ballistics, fraction, levelDbfs } from './levels.js';

test('a level is the RMS in dB, and silence is the floor', () => {
  const sine = Float32Array.from({ length: 480 }, (_, n) => Math.sin((2 * Math.PI * n) / 48));
  assert.ok(Math.abs(levelDbfs(sine) + 3.01) < 0.01);
  assert.equal(levelDbfs(new Float32Array(10)), -60);
  assert.equal(levelDbfs([]), -60);
  assert.deepEqual([fraction(-60), fraction(-90), fraction(0)], [0, 0, 1]);
});

test('a meter rises at once and falls slowly', () => {
  const meter = new Ballistics();
  assert.equal(meter.step(-10, 16), -10);
  assert.equal(meter.step(-60, 100), -16);
  assert.equal(meter.step(-12, 16), -12);
  assert.equal(meter.step(-60, 10_000), -60);
});
