// The numbers of a call that a person wants to see, out of what `RTCPeerConnection.getStats` says.
// Pure: a report and the digest before it in, a digest out.

/**
 * @typedef {object} Digest
 * @property {number} atMs when the report was made
 * @property {string|null} codec of the agent's audio, as `opus/48000/2`
 * @property {number|null} rttMs round trip of the transport
 * @property {number|null} jitterMs interarrival jitter of the agent's audio
 * @property {number|null} bufferMs mean time in the jitter buffer since the last digest
 * @property {number|null} lossDownPercent of the agent's packets since the last digest
 * @property {number|null} lossUpPercent of our packets, as the server reports it
 * @property {number|null} kbpsDown @property {number|null} kbpsUp since the last digest
 * @property {number} emittedMs audio that the jitter buffer has put out since the call began
 * @property {number} audioEnergy of the agent's audio since the call began
 * @property {{local: string, remote: string, protocol: string}|null} path
 * @property {{lost: number, received: number, concealed: number}} totals
 * @property {object} counters what the next digest is compared with
 */

/**
 * @param {Iterable<object>} report the values of an `RTCStatsReport`
 * @param {Digest} [before]
 * @returns {Digest}
 */
export function digest(report, before) {
  const stats = [...report];
  const byId = new Map(stats.map((entry) => [entry.id, entry]));
  const find = (type) =>
    stats.find((entry) => entry.type === type && (entry.kind ?? 'audio') === 'audio');
  const inbound = find('inbound-rtp') ?? {};
  const outbound = find('outbound-rtp') ?? {};
  const remoteInbound = find('remote-inbound-rtp') ?? {};
  const pair = selectedPair(stats, byId);
  const atMs = inbound.timestamp ?? outbound.timestamp ?? pair?.timestamp ?? 0;
  const counters = {
    received: inbound.packetsReceived ?? 0,
    lost: inbound.packetsLost ?? 0,
    bytesDown: inbound.bytesReceived ?? 0,
    bytesUp: outbound.bytesSent ?? 0,
    bufferDelay: inbound.jitterBufferDelay ?? 0,
    emitted: inbound.jitterBufferEmittedCount ?? 0,
  };
  const previous = before?.counters ?? {
    received: 0,
    lost: 0,
    bytesDown: 0,
    bytesUp: 0,
    bufferDelay: 0,
    emitted: 0,
  };
  const change = (key) => Math.max(0, counters[key] - previous[key]);
  const elapsedMs = before ? atMs - before.atMs : 0;
  const kbps = (key) => (elapsedMs > 0 ? (change(key) * 8) / elapsedMs : null);
  const expected = change('received') + change('lost');
  return {
    atMs,
    codec: codecName(byId.get(inbound.codecId)),
    rttMs: millis(pair?.currentRoundTripTime ?? remoteInbound.roundTripTime),
    jitterMs: millis(inbound.jitter),
    bufferMs:
      change('emitted') > 0
        ? (1000 * change('bufferDelay')) / change('emitted')
        : (before?.bufferMs ?? null),
    lossDownPercent:
      expected > 0 ? (100 * change('lost')) / expected : (before?.lossDownPercent ?? null),
    lossUpPercent:
      remoteInbound.fractionLost === undefined ? null : 100 * remoteInbound.fractionLost,
    kbpsDown: kbps('bytesDown'),
    kbpsUp: kbps('bytesUp'),
    emittedMs: (1000 * counters.emitted) / sampleRateHz(inbound),
    audioEnergy: inbound.totalAudioEnergy ?? 0,
    path: pair ? path(pair, byId) : null,
    totals: {
      received: counters.received,
      lost: counters.lost,
      concealed: inbound.concealmentEvents ?? 0,
    },
    counters,
  };
}

function selectedPair(stats, byId) {
  const transport = stats.find((entry) => entry.type === 'transport');
  return (
    byId.get(transport?.selectedCandidatePairId) ??
    stats.find(
      (entry) => entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded',
    )
  );
}

function path(pair, byId) {
  const local = byId.get(pair.localCandidateId);
  const remote = byId.get(pair.remoteCandidateId);
  return {
    local: endpoint(local),
    remote: endpoint(remote),
    protocol: local?.relayProtocol ?? local?.protocol ?? 'unknown',
  };
}

/** The address is hidden by some browsers, so the type comes first. */
function endpoint(candidate) {
  if (!candidate) return 'unknown';
  const address = candidate.address ?? candidate.ip;
  const host = address?.includes(':') ? `[${address}]` : address;
  return address ? `${candidate.candidateType} ${host}:${candidate.port}` : candidate.candidateType;
}

function codecName(codec) {
  if (!codec) return null;
  const name = codec.mimeType.replace(/^audio\//, '');
  const channels = codec.channels > 1 ? `/${codec.channels}` : '';
  return `${name}/${codec.clockRate}${channels}`;
}

/** The samples are those of the decoder, whose rate follows from what it made in which time. */
function sampleRateHz({ totalSamplesReceived, totalSamplesDuration }) {
  if (!totalSamplesReceived || !totalSamplesDuration) return 48_000;
  const rate = totalSamplesReceived / totalSamplesDuration;
  const common = [8_000, 16_000, 24_000, 32_000, 44_100, 48_000];
  return common.reduce((best, hz) => (Math.abs(hz - rate) < Math.abs(best - rate) ? hz : best));
}

function millis(seconds) {
  return seconds === undefined ? null : 1000 * seconds;
}
