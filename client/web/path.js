// The network path of a call: offer and answer, candidates, and ICE restarts.

import { AntiphonError } from './errors.js';
import { applyFragment, buildFragment, iceParameters } from './fragment.js';

/** Candidates that come within this time share one request. */
const TRICKLE_BATCH_MS = 40;

/** Negotiates one peer connection with one server. */
export class Path {
  #peer;
  #signaling;
  #note;
  #found = [];
  /** The server does not know our ICE parameters yet: candidates have to wait. */
  #held = true;
  #batchTimer = null;
  #sending = Promise.resolve();
  #closed = new AbortController();

  /**
   * @param {RTCPeerConnection} peer with its tracks and channels already added
   * @param {import('./signaling.js').Signaling} signaling
   * @param {(text: string) => void} note is told what is worth a line in a log
   */
  constructor(peer, signaling, note) {
    this.#peer = peer;
    this.#signaling = signaling;
    this.#note = note;
    peer.addEventListener('icecandidate', ({ candidate }) => {
      this.#found.push(candidate?.candidate ?? '');
      this.#schedule();
    });
  }

  /**
   * Exchanges offer and answer.
   *
   * @returns {Promise<RTCIceServer[]>} the servers named for this very call
   */
  async open() {
    await this.#peer.setLocalDescription(await this.#peer.createOffer());
    const { answer, iceServers } = await this.#signaling.offer(this.#peer.localDescription.sdp);
    if (this.#closed.signal.aborted) {
      await this.#signaling.end(); // Nobody wants any more what the server made.
      return [];
    }
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: answer });
    this.#release();
    return iceServers;
  }

  /** Whether media could flow within the time, and the path was not closed meanwhile. */
  connected(timeoutMs) {
    const { signal } = this.#closed;
    return new Promise((resolve) => {
      const finish = (isConnected) => {
        clearTimeout(timer);
        this.#peer.removeEventListener('connectionstatechange', look);
        signal.removeEventListener('abort', look);
        resolve(isConnected);
      };
      const look = () => {
        if (signal.aborted) finish(false);
        else if (this.#peer.connectionState === 'connected') finish(true);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.#peer.addEventListener('connectionstatechange', look);
      signal.addEventListener('abort', look);
      look();
    });
  }

  /**
   * One attempt at an ICE restart: new parameters both ways in one request (RFC 9725 §4.3.3).
   *
   * @param {number} timeoutMs how long the new path may take to carry media
   * @returns {Promise<'connected' | 'failed' | 'gone'>} `gone`: the server does not know the call
   */
  async restart(timeoutMs) {
    this.#held = true;
    this.#found = [];
    try {
      await this.#peer.setLocalDescription(await this.#peer.createOffer({ iceRestart: true }));
      const local = this.#peer.localDescription.sdp;
      const { candidates } = iceParameters(local);
      const fragment = await this.#signaling.restart(buildFragment(local, candidates, false));
      const sdp = applyFragment(this.#peer.currentRemoteDescription.sdp, fragment);
      if (sdp === null) {
        throw new AntiphonError('malformed-answer', 'The answer held no ICE parameters.');
      }
      await this.#peer.setRemoteDescription({ type: 'answer', sdp });
      this.#release();
      return (await this.connected(timeoutMs)) ? 'connected' : 'failed';
    } catch (error) {
      if (this.#closed.signal.aborted) return 'gone';
      this.#note(`Reconnecting failed: ${error.message}`);
      if (this.#peer.signalingState === 'have-local-offer') {
        await this.#peer.setLocalDescription({ type: 'rollback' }).catch(() => {});
      }
      return error.status === 404 || error.status === 410 ? 'gone' : 'failed';
    }
  }

  /** Stops everything that is under way. The peer connection stays open. */
  close() {
    this.#closed.abort();
    clearTimeout(this.#batchTimer);
  }

  #release() {
    this.#held = false;
    this.#schedule();
  }

  #schedule() {
    if (this.#held || this.#found.length === 0 || this.#closed.signal.aborted) return;
    this.#batchTimer ??= setTimeout(() => {
      this.#batchTimer = null;
      // One request at a time, so that candidates arrive in order.
      this.#sending = this.#sending.then(() => this.#trickle());
    }, TRICKLE_BATCH_MS);
  }

  async #trickle() {
    if (this.#held || this.#closed.signal.aborted) return;
    const found = this.#found.splice(0);
    const lines = found.filter((line) => line !== '');
    const local = this.#peer.localDescription.sdp;
    try {
      await this.#signaling.trickle(buildFragment(local, lines, found.includes('')));
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      // Most calls connect without: the server sees where our checks come from.
      this.#note(`Candidates were not taken: ${error.message}`);
    }
  }
}
