// The page under test, in a headless Chromium whose microphone is a wav file.

import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

/** Starts a browser that hears `speech`, again and again. */
export function launch(speech) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [...FLAGS, `--use-file-for-fake-audio-capture=${speech}`],
  });
}

/**
 * Opens the page and keeps what goes wrong on it, and its peer connections, which it does not show.
 *
 * @returns {Promise<{page: import('playwright-core').Page, complaints: string[]}>}
 */
export async function open(context, url) {
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.addInitScript(keepPeers);
  await page.goto(url);
  return { page, complaints };
}

/** Runs in the page. `peers` holds every connection and how long each took from offer to media. */
function keepPeers() {
  const peers = [];
  const Native = RTCPeerConnection;
  globalThis.antiphonPeers = peers;
  globalThis.RTCPeerConnection = class extends Native {
    constructor(...options) {
      super(...options);
      const kept = { peer: this, offeredAt: null, connectMs: null };
      peers.push(kept);
      this.addEventListener('signalingstatechange', () => {
        if (this.signalingState === 'have-local-offer') kept.offeredAt ??= performance.now();
      });
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState === 'connected')
          kept.connectMs ??= performance.now() - kept.offeredAt;
      });
    }
  };
}

/** How long the newest call took from offer to media. */
export function connectMs(page) {
  return page.evaluate(() => globalThis.antiphonPeers.at(-1).connectMs);
}

/** The energy of all sound that the newest call has received. */
export function audioEnergy(page) {
  return page.evaluate(async () => {
    const report = await globalThis.antiphonPeers.at(-1).peer.getStats();
    const inbound = [...report.values()].find(({ type }) => type === 'inbound-rtp');
    return inbound?.totalAudioEnergy ?? 0;
  });
}

export async function talk(page) {
  await page.getByRole('button', { name: 'Talk' }).click();
  await page.locator('body[data-call="connected"]').waitFor({ timeout: 15_000 });
}

export async function hangUp(page) {
  await page.getByRole('button', { name: 'Hang up' }).click();
  await page.locator('body[data-call="ended"]').waitFor({ timeout: 5_000 });
}
