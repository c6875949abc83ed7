// Wav files for a fake microphone.

import { readFile, writeFile } from 'node:fs/promises';

/** Writes `speech` (16-bit mono PCM wav) with silence before and after it. */
export async function padSpeech(speech, padded, { beforeMs, afterMs }) {
  const { sampleRateHz, pcm } = parseWav(await readFile(speech));
  const silence = (ms) => Buffer.alloc(2 * Math.round((sampleRateHz * ms) / 1000));
  const data = Buffer.concat([silence(beforeMs), pcm, silence(afterMs)]);
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + data.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // channels
  header.writeUInt32LE(sampleRateHz, 24);
  header.writeUInt32LE(2 * sampleRateHz, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(data.length, 40);
  await writeFile(padded, Buffer.concat([header, data]));
}

/** The samples of a 16-bit mono wav, whatever other chunks it has. */
export function parseWav(bytes) {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF') throw new Error('not a wav file');
  let format = null;
  for (let at = 12; at + 8 <= bytes.length;) {
    const name = bytes.toString('latin1', at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    const body = bytes.subarray(at + 8, at + 8 + size); // Streamed files claim too large a size.
    if (name === 'fmt ') {
      const [channels, bits] = [body.readUInt16LE(2), body.readUInt16LE(14)];
      if (channels !== 1 || bits !== 16) throw new Error(`${channels} channels of ${bits} bits`);
      format = { sampleRateHz: body.readUInt32LE(4) };
    }
    if (name === 'data' && format) return { ...format, pcm: body };
    at += 8 + size + (size % 2);
  }
  throw new Error('a wav file without samples');
}
