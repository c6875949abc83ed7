import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Conversation } from './conversation.js';

/** Entries as lines: `who: said ~partial~ (pending) heard -unheard-`. */
function lines({ entries }) {
  const marks = {
    said: ['', ''],
    heard: ['', ''],
    partial: ['~', '~'],
    pending: ['(', ')'],
    unheard: ['-', '-'],
  };
  return entries.map(({ who, parts }) => {
    const words = parts.map(({ text, state }) => marks[state][0] + text.trim() + marks[state][1]);
    return `${who}: ${words.join(' ')}`.trim();
  });
}

const segment = (id, text, status, progress) => ({
  segment_id: id,
  text,
  spoken_status: status,
  spoken_progress: progress,
});

test('partial words give way to final ones, also when those come after the reply began', () => {
  const talk = new Conversation();
  talk.userStarted();
  talk.userSaid({ text: 'what ti', final: false });
  talk.userSaid({ text: 'what time', final: false });
  assert.deepEqual(lines(talk), ['user: ~what time~']);
  talk.replyStarted();
  talk.agentSaid(segment(1, 'Noon.', 'new'));
  talk.userSaid({ text: 'what time is it', final: true });
  assert.deepEqual(lines(talk), ['user: what time is it', 'agent: (Noon.)']);
  talk.heard({ heard_ms: 700, interrupted: false });
  talk.userStarted();
  talk.userSaid({ text: 'thanks', final: true });
  assert.deepEqual(lines(talk), ['user: what time is it', 'agent: Noon.', 'user: thanks']);
});

test('of an interrupted reply the words that were not heard are marked', () => {
  const talk = new Conversation();
  talk.replyStarted();
  talk.agentSaid(segment(1, 'One two.', 'new'));
  talk.agentSaid(segment(2, 'Three four.', 'new'));
  talk.agentSaid(segment(3, 'Five.', 'new'));
  talk.agentSaid(segment(1, 'One two.', 'completed'));
  talk.agentSaid(
    segment(2, 'Three four.', 'in-progress', {
      accumulated_text: 'Three',
      remaining_text: ' four.',
    }),
  );
  const entry = talk.heard({ heard_ms: 900, interrupted: true });
  assert.deepEqual(lines(talk), ['agent: One two. Three -four.- -Five.-']);
  assert.equal(entry.interrupted, true);
});

test('a reply that was given up before it sounded was not heard', () => {
  const talk = new Conversation();
  assert.equal(talk.replyStarted(), null);
  talk.agentSaid(segment(1, 'Well.', 'new'));
  assert.equal(talk.replyStarted().interrupted, true);
  talk.agentSaid(segment(2, 'Yes.', 'new'));
  assert.deepEqual(lines(talk), ['agent: -Well.-', 'agent: (Yes.)']);
});

test('a pause within a turn does not begin another entry, typing does', () => {
  const talk = new Conversation();
  talk.userStarted();
  talk.userSaid({ text: 'well', final: true });
  talk.userStarted();
  talk.userSaid({ text: 'yes', final: true });
  talk.userTyped('no');
  talk.userStarted();
  assert.deepEqual(lines(talk), ['user: well yes', 'user: no', 'user:']);
});

test('a reply without words has a place too, and old entries are forgotten', () => {
  const talk = new Conversation();
  assert.equal(talk.heard({ heard_ms: 3_000, interrupted: false }).soundMs, 3_000);
  for (let turn = 0; turn < 1_000; turn += 1) talk.userTyped('x');
  assert.equal(talk.entries.length, 300);
});
