// Trickle-ICE fragments (RFC 8840) as WHIP sends them (RFC 9725 §4.3), and the SDP they belong to.
// Pure text.

const LINE_END = /\r\n|\r|\n/;

/**
 * The ICE parameters of an SDP or of a fragment. With BUNDLE the first media line carries them for
 * all.
 *
 * @param {string} sdp
 * @returns {{ufrag: string, pwd: string, media: string, mid: string, candidates: string[]}}
 *   `candidates` without the leading `a=`; a missing value is an empty string.
 */
export function iceParameters(sdp) {
  const found = { ufrag: '', pwd: '', media: '', mid: '', candidates: [] };
  let mediaLines = 0;
  for (const line of sdp.split(LINE_END)) {
    if (line.startsWith('m=')) {
      mediaLines += 1;
      if (mediaLines === 1) found.media = line;
    }
    if (mediaLines > 1) break;
    if (line.startsWith('a=ice-ufrag:')) found.ufrag = line.slice('a=ice-ufrag:'.length);
    if (line.startsWith('a=ice-pwd:')) found.pwd = line.slice('a=ice-pwd:'.length);
    if (line.startsWith('a=mid:')) found.mid = line.slice('a=mid:'.length);
    if (line.startsWith('a=candidate:')) found.candidates.push(line.slice('a='.length));
  }
  return found;
}

/**
 * A fragment that tells the server about candidates; with ICE parameters that it does not know yet,
 * one that asks for an ICE restart.
 *
 * @param {string} localSdp the SDP the candidates belong to
 * @param {string[]} candidates `candidate:…` lines
 * @param {boolean} isComplete no more will come
 */
export function buildFragment(localSdp, candidates, isComplete) {
  const { ufrag, pwd, media, mid } = iceParameters(localSdp);
  const lines = [
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    media || 'm=audio 9 UDP/TLS/RTP/SAVPF 0',
    `a=mid:${mid}`,
    ...candidates.map((candidate) => `a=${candidate}`),
  ];
  if (isComplete) lines.push('a=end-of-candidates');
  return `${lines.join('\r\n')}\r\n`;
}

/**
 * The server's SDP as it would be had it answered with the ICE parameters of `fragment`: what is to
 * be set as the remote description after an ICE restart.
 *
 * @param {string} remoteSdp
 * @param {string} fragment
 * @returns {string | null} `null` if the fragment holds no ICE parameters
 */
export function applyFragment(remoteSdp, fragment) {
  const { ufrag, pwd, candidates } = iceParameters(fragment);
  if (!ufrag || !pwd) return null;
  const isOld = (line) =>
    line.startsWith('a=candidate:') || line === 'a=end-of-candidates' || line === '';
  const lines = remoteSdp.split(LINE_END).filter((line) => !isOld(line));
  const fresh = lines.map((line) => {
    if (line.startsWith('a=ice-ufrag:')) return `a=ice-ufrag:${ufrag}`;
    if (line.startsWith('a=ice-pwd:')) return `a=ice-pwd:${pwd}`;
    return line;
  });
  const firstMedia = fresh.findIndex((line) => line.startsWith('m='));
  const secondMedia = fresh.findIndex((line, at) => at > firstMedia && line.startsWith('m='));
  const end = secondMedia === -1 ? fresh.length : secondMedia;
  fresh.splice(end, 0, ...candidates.map((candidate) => `a=${candidate}`), 'a=end-of-candidates');
  return `${fresh.join('\r\n')}\r\n`;
}
