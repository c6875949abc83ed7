import assert from 'node:assert/strict';
import { test } from 'node:test';

import { digest } from './stats.js';

function report({ atMs, received, lost, emitted, delay, bytes }) {
  return [
    { id: 'C', type: 'codec', mimeType: 'audio/opus', clockRate: 48000, channels: 2 },
    {
      id: 'I',
      type: 'inbound-rtp',
      kind: 'audio',
      codecId: 'C',
      timestamp: atMs,
      jitter: 0.0125,
      packetsReceived: received,
      packetsLost: lost,
      bytesReceived: bytes,
      totalAudioEnergy: 0.5,
      jitterBufferDelay: delay,
      jitterBufferEmittedCount: emitted,
      concealmentEvents: 2,
      totalSamplesReceived: 96_000,
      totalSamplesDuration: 2.0001,
    },
    { id: 'O', type: 'outbound-rtp', kind: 'audio', bytesSent: bytes, timestamp: atMs },
    { id: 'R', type: 'remote-inbound-rtp', kind: 'audio', fractionLost: 0.05 },
    { id: 'T', type: 'transport', selectedCandidatePairId: 'P' },
    {
      id: 'X',
      type: 'candidate-pair',
      state: 'succeeded',
      nominated: true,
      currentRoundTripTime: 9,
    },
    {
      id: 'P',
      type: 'candidate-pair',
      currentRoundTripTime: 0.042,
      localCandidateId: 'L',
      remoteCandidateId: 'M',
    },
    {
      id: 'L',
      type: 'local-candidate',
      candidateType: 'prflx',
      address: '2001:db8::1',
      port: 5,
      protocol: 'udp',
    },
    { id: 'M', type: 'remote-candidate', candidateType: 'host', address: '192.0.2.1', port: 6 },
  ];
}

test('a digest holds what a person wants to know, over the time since the last one', () => {
  const first = digest(
    report({ atMs: 1_000, received: 100, lost: 0, emitted: 48_000, delay: 1_920, bytes: 8_000 }),
  );
  const second = digest(
    report({ atMs: 2_000, received: 145, lost: 5, emitted: 96_000, delay: 4_800, bytes: 12_000 }),
    first,
  );
  const { counters, ...shown } = second;
  assert.equal(counters.received, 145);
  assert.deepEqual(shown, {
    atMs: 2_000,
    codec: 'opus/48000/2',
    rttMs: 42,
    jitterMs: 12.5,
    bufferMs: 60,
    lossDownPercent: 10,
    lossUpPercent: 5,
    kbpsDown: 32,
    kbpsUp: 32,
    emittedMs: 2_000,
    audioEnergy: 0.5,
    path: { local: 'prflx [2001:db8::1]:5', remote: 'host 192.0.2.1:6', protocol: 'udp' },
    totals: { received: 145, lost: 5, concealed: 2 },
  });
});

test('an empty report is no error', () => {
  const empty = digest([]);
  assert.equal(empty.codec, null);
  assert.equal(empty.rttMs, null);
  assert.equal(empty.emittedMs, 0);
  assert.equal(digest([], empty).kbpsDown, null);
});
