import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Usage } from './usage.js';

const NOTHING = {
  speech_in: 0,
  text_in: 0,
  speech_out: 0,
  text_out: 0,
  heard_ms: 0,
  spoken_chars: 0,
  cost: 0,
  cost_by_stage: { asr: 0, llm: 0, tts: 0 },
};

test('what a turn used is added up by stage', () => {
  const usage = new Usage();
  usage.add({ ...NOTHING, turn: 1, heard_ms: 2_400, cost_by_stage: { asr: 0.0003, llm: 0, tts: 0 } });
  usage.add({ ...NOTHING, turn: 1, text_in: 1_200, text_out: 40 });
  usage.add({ ...NOTHING, turn: 1, spoken_chars: 30 });
  usage.add({ ...NOTHING, turn: 1, spoken_chars: 31, cost_by_stage: { asr: 0, llm: 0, tts: 0.02 } });
  usage.add({ ...NOTHING, turn: 2, spoken_chars: 5 });
  assert.deepEqual(usage.stages(1), [
    { key: 'asr', label: 'Recognition', amount: '2.4 s heard', cost: '0.00030' },
    { key: 'llm', label: 'Model', amount: '1,200 tokens read, 40 written', cost: '' },
    { key: 'tts', label: 'Voice', amount: '61 characters spoken', cost: '0.020' },
  ]);
});

test('stages that did nothing, and turns of which nothing is known, have no line', () => {
  const usage = new Usage();
  usage.add({ ...NOTHING, turn: 1, text_in: 7 });
  assert.deepEqual(
    usage.stages(1).map(({ key, amount }) => [key, amount]),
    [['llm', '7 tokens read']],
  );
  assert.deepEqual(usage.stages(2), []);
});

test('old turns are forgotten', () => {
  const usage = new Usage();
  for (let turn = 1; turn <= 51; turn += 1) usage.add({ ...NOTHING, turn, text_in: 7 });
  assert.deepEqual(usage.stages(1), []);
  assert.equal(usage.stages(51).length, 1);
});
