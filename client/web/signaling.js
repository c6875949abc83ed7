// The HTTP side of a call: offer, trickle, restart, end. It follows WHIP (RFC 9725).

import { AntiphonError } from './errors.js';

const REQUEST_TIMEOUT_MS = 10_000;
const FRAGMENT_TYPE = 'application/trickle-ice-sdpfrag';

/** One call's requests to one server. */
export class Signaling {
  #endpoint;
  #token;
  #location = null;
  #etag = null;
  #over = new AbortController();

  /**
   * @param {URL} endpoint `…/v1/rtc`, with `?agent=` if one is wanted
   * @param {string} [token] access key or join token
   */
  constructor(endpoint, token) {
    this.#endpoint = endpoint;
    this.#token = token;
  }

  /** The ICE servers that the server recommends. None if it does not say. */
  async iceServers() {
    try {
      const response = await this.#request('OPTIONS', this.#endpoint);
      return response.ok ? parseIceServers(response.headers.get('link')) : [];
    } catch {
      return []; // The offer that follows will say what is wrong.
    }
  }

  /** Sends the offer; the answer holds all of the server's candidates. */
  async offer(sdp) {
    const response = await this.#request('POST', this.#endpoint, {
      headers: { 'content-type': 'application/sdp' },
      body: sdp,
    });
    if (response.status !== 201) throw await refusal(response);
    const location = response.headers.get('location');
    if (!location) {
      throw new AntiphonError(
        'malformed-answer',
        'The server accepted the call without a Location.',
      );
    }
    this.#location = new URL(location, response.url || this.#endpoint);
    this.#etag = response.headers.get('etag');
    const iceServers = parseIceServers(response.headers.get('link'));
    return { answer: await response.text(), iceServers };
  }

  /** Sends candidates. A tag that is out of date means that a restart overtook them: no harm. */
  async trickle(fragment) {
    const response = await this.#patch(fragment, this.#etag);
    if (!response.ok && response.status !== 412) throw await refusal(response);
  }

  /** Asks for an ICE restart and returns the server's fragment. */
  async restart(fragment) {
    const response = await this.#patch(fragment, '*');
    if (response.status !== 200) throw await refusal(response);
    this.#etag = response.headers.get('etag');
    return response.text();
  }

  /** Ends the call. Survives the page being closed; errors do not matter any more. */
  async end() {
    if (!this.#location) return;
    const location = this.#location;
    this.#location = null;
    this.#over.abort(); // Candidates under way would come to a call that is gone.
    await this.#request('DELETE', location, { keepalive: true }).catch(() => {});
  }

  #patch(fragment, ifMatch) {
    const headers = { 'content-type': FRAGMENT_TYPE };
    if (ifMatch) headers['if-match'] = ifMatch;
    const { signal } = this.#over;
    return this.#request('PATCH', this.#location, { headers, body: fragment, signal });
  }

  async #request(method, url, { headers = {}, signal, ...rest } = {}) {
    if (this.#token) headers.authorization = `Bearer ${this.#token}`;
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const either = signal ? AbortSignal.any([timeout, signal]) : timeout;
    try {
      return await fetch(url, { method, headers, signal: either, cache: 'no-store', ...rest });
    } catch (cause) {
      throw new AntiphonError('unreachable', 'The server does not answer.', { cause });
    }
  }
}

/** What the server said against a request: the `detail` of its problem document (RFC 9457). */
async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  const said = problem.detail ?? problem.title ?? `HTTP status ${response.status}`;
  const { status } = response;
  if (status === 401 || status === 403) {
    const message = `The server wants an access key or a valid join token. It says: ${said}`;
    return new AntiphonError('unauthorized', message, { status });
  }
  if (status === 503 || status === 429) {
    return new AntiphonError('busy', `The server is busy; try again soon. It says: ${said}`, {
      status,
    });
  }
  return new AntiphonError('refused', `The server refused the call: ${said}`, { status });
}

/**
 * The ICE servers in a `Link` header (RFC 8288, RFC 9725 §4.6), in the form of `RTCIceServer`.
 *
 * @param {string | null} header
 * @returns {{urls: string, username?: string, credential?: string}[]}
 */
export function parseIceServers(header) {
  const servers = [];
  // <target> and then parameters whose values are tokens or quoted strings.
  const links = /<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))*)/g;
  for (const [, urls, parameters] of (header ?? '').matchAll(links)) {
    const values = {};
    for (const [, name, quoted, token] of parameters.matchAll(
      /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))/g,
    )) {
      values[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? token;
    }
    if (values.rel !== 'ice-server' || !/^(stun|turn)s?:/.test(urls)) continue;
    const server = { urls };
    if (values.username !== undefined) server.username = values.username;
    if (values.credential !== undefined) server.credential = values.credential;
    servers.push(server);
  }
  return servers;
}
