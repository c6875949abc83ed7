// Opening and naming microphones.

import { microphoneError, unsupported } from './errors.js';

/**
 * Opens a microphone with the browser's echo cancellation, noise suppression and gain control.
 *
 * @param {string} [deviceId] the system's default if not given
 * @returns {Promise<MediaStreamTrack>}
 * @throws {AntiphonError}
 */
export async function openMicrophone(deviceId) {
  const problem = unsupported();
  if (problem) throw problem;
  const audio = {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    channelCount: 1,
    ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
  };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    return stream.getAudioTracks()[0];
  } catch (cause) {
    throw microphoneError(cause);
  }
}

/**
 * The microphones. Browsers name them only once one was opened.
 *
 * @returns {Promise<{deviceId: string, label: string}[]>}
 */
export async function listMicrophones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices
    .filter(({ kind, deviceId }) => kind === 'audioinput' && deviceId !== '')
    .map(({ deviceId, label }, index) => ({ deviceId, label: label || `Microphone ${index + 1}` }));
}
