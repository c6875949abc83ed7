import assert from 'node:assert/strict';
import { test } from 'node:test';

import { applyFragment, buildFragment, iceParameters } from './fragment.js';

const OFFER = [
  'v=0',
  'a=group:BUNDLE 0 1',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:secretsecretsecretsecret',
  'a=mid:0',
  'a=candidate:1 1 udp 2122 192.0.2.1 5000 typ host',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'a=ice-ufrag:abcd',
  'a=mid:1',
  'a=candidate:9 1 udp 1 192.0.2.9 9 typ host',
  '',
].join('\r\n');

test('the parameters are those of the first media line', () => {
  assert.deepEqual(iceParameters(OFFER), {
    ufrag: 'abcd',
    pwd: 'secretsecretsecretsecret',
    media: 'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    mid: '0',
    candidates: ['candidate:1 1 udp 2122 192.0.2.1 5000 typ host'],
  });
});

test('a fragment names the ICE session, the media line and the candidates', () => {
  const fragment = buildFragment(OFFER, ['candidate:2 1 udp 1 192.0.2.2 6000 typ host'], true);
  assert.equal(
    fragment,
    [
      'a=ice-ufrag:abcd',
      'a=ice-pwd:secretsecretsecretsecret',
      'm=audio 9 UDP/TLS/RTP/SAVPF 111',
      'a=mid:0',
      'a=candidate:2 1 udp 1 192.0.2.2 6000 typ host',
      'a=end-of-candidates',
      '',
    ].join('\r\n'),
  );
});

test('a restart replaces the parameters everywhere and the candidates of the first line', () => {
  const fragment =
    'a=ice-ufrag:new\r\na=ice-pwd:newpassword\r\nm=audio 9 x 0\r\na=mid:0\r\n' +
    'a=candidate:7 1 udp 1 198.51.100.7 7 typ host\r\na=end-of-candidates\r\n';
  const sdp = applyFragment(OFFER, fragment);
  assert.equal(
    sdp,
    [
      'v=0',
      'a=group:BUNDLE 0 1',
      'm=audio 9 UDP/TLS/RTP/SAVPF 111',
      'a=ice-ufrag:new',
      'a=ice-pwd:newpassword',
      'a=mid:0',
      'a=candidate:7 1 udp 1 198.51.100.7 7 typ host',
      'a=end-of-candidates',
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
      'a=ice-ufrag:new',
      'a=mid:1',
      '',
    ].join('\r\n'),
  );
});

test('a fragment without parameters changes nothing', () => {
  for (const fragment of ['', 'a=ice-ufrag:x', 'hello\n\n']) {
    assert.equal(applyFragment(OFFER, fragment), null);
  }
});
