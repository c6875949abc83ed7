// What can go wrong in a call, each with a code for programs and a sentence for people.

/** An error of the SDK. `code` is one of the strings below; `message` can be shown to the user. */
export class AntiphonError extends Error {
  /**
   * @param {'microphone-denied'|'microphone-missing'|'microphone-busy'|'insecure-page'|
   *   'unsupported-browser'|'unauthorized'|'refused'|'busy'|'unreachable'|'no-media-path'|
   *   'malformed-answer'|'lost'|'not-connected'|'agent'} code
   * @param {string} message
   * @param {{cause?: unknown, status?: number}} [options]
   */
  constructor(code, message, options = {}) {
    super(message, { cause: options.cause });
    this.name = 'AntiphonError';
    this.code = code;
    /** The HTTP status, if the server refused a request. */
    this.status = options.status;
  }
}

/** Explains why there is no microphone (the errors of W3C Media Capture §10.2). */
export function microphoneError(cause) {
  const explain = (code, message) => new AntiphonError(code, message, { cause });
  switch (cause?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return explain(
        'microphone-denied',
        'The microphone is blocked. Allow it for this page (the icon beside the address, or the ' +
          "system's privacy settings), then press Talk again.",
      );
    case 'NotFoundError':
    case 'OverconstrainedError':
      return explain(
        'microphone-missing',
        'No such microphone was found. Plug one in or choose another, then press Talk again.',
      );
    case 'NotReadableError':
    case 'AbortError':
      return explain(
        'microphone-busy',
        'The microphone does not start. Another program may be using it: close that, then press ' +
          'Talk again.',
      );
    default:
      return explain('microphone-missing', `The microphone could not be opened: ${cause?.message}`);
  }
}

/** Why calls cannot work on this page at all, or `null` if they can. */
export function unsupported(scope = globalThis) {
  if (scope.isSecureContext === false) {
    return new AntiphonError(
      'insecure-page',
      'Browsers give the microphone only to pages opened over https or from localhost. Open this ' +
        'page that way.',
    );
  }
  if (!scope.RTCPeerConnection || !scope.navigator?.mediaDevices?.getUserMedia) {
    return new AntiphonError('unsupported-browser', 'This browser does not support WebRTC calls.');
  }
  return null;
}
