import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as rtvi from './rtvi.js';

test('messages carry the label, a type, an id of their own and data', () => {
  const [ready, text] = [rtvi.clientReady(), rtvi.sendText('hi', false)].map(JSON.parse);
  assert.equal(ready.label, 'rtvi-ai');
  assert.equal(ready.data.version, '2.1.0');
  assert.notEqual(ready.id, text.id);
  assert.deepEqual(text.data, { content: 'hi', options: { run_immediately: false } });
  assert.deepEqual(JSON.parse(rtvi.playout({ generation: 3, playedMs: 20.4 })).data, {
    t: 'playout',
    d: { generation: 3, played_ms: 20 },
  });
});

test('what is no message of ours is null', () => {
  for (const text of [
    '',
    'pong',
    'null',
    '7',
    '[]',
    '{}',
    '{"label":"x","type":"y"}',
    '{"type":"z"}',
  ]) {
    assert.equal(rtvi.parse(text), null, text);
  }
  assert.equal(rtvi.parse('{"type":"signalling","message":{"type":"peerLeft"}}').type, 'peerLeft');
  assert.deepEqual(rtvi.parse('{"label":"rtvi-ai","type":"bot-ready","id":"c1"}'), {
    type: 'bot-ready',
    id: 'c1',
    data: {},
  });
});
