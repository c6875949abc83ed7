// A person's call, by a headless browser: the page of a running server is opened, spoken to by a fake
// microphone, and looked at.
//
//   ANTIPHON_URL     where the server is; http://127.0.0.1:8080 by default
//   ANTIPHON_SPEECH  what is said: a 16-bit mono wav; required
//   ANTIPHON_EXPECT  a word that must appear in the transcript; any text will do without it, and
//                    `none` is for a backend that does not recognise speech
//   ANTIPHON_SHOTS   folder for pictures of the page; the system's temporary one by default
//   CHROMIUM         the browser; /usr/bin/chromium by default

import assert from 'node:assert/strict';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { audioEnergy, connectMs, hangUp, launch, open, talk } from './page.js';
import { padSpeech } from './speech.js';

const URL = process.env.ANTIPHON_URL ?? 'http://127.0.0.1:8080/';
const EXPECT = process.env.ANTIPHON_EXPECT ?? '';
const WORDS = new RegExp(EXPECT === 'none' ? '' : EXPECT || '\\w', 'i');
/** Final words of the user, or, where none are expected, the place for them. */
const SAID = EXPECT === 'none' ? '.entry.user' : '.entry.user .said';
const DESKTOP = { width: 1280, height: 960 };
const PHONE = { width: 390, height: 844 };
/** Louder than any codec noise: 100 ms at -40 dBFS. */
const SOUND_ENERGY = 1e-5;
const REPLY_TIMEOUT_MS = 20_000;
const CONNECTS = 5;

let browser;
let shots;

before(async () => {
  assert.ok(process.env.ANTIPHON_SPEECH, 'ANTIPHON_SPEECH names no wav file');
  const folder = await mkdtemp(join(tmpdir(), 'antiphon-browser-'));
  shots = process.env.ANTIPHON_SHOTS ?? folder;
  await mkdir(shots, { recursive: true });
  const microphone = join(folder, 'microphone.wav');
  await padSpeech(process.env.ANTIPHON_SPEECH, microphone, { beforeMs: 1_500, afterMs: 6_000 });
  browser = await launch(microphone);
});

after(() => browser?.close());

/** Opens the page in a fresh context, gives it to `use`, and fails on any complaint of the browser. */
async function withPage(options, use) {
  const context = await browser.newContext({
    viewport: DESKTOP,
    permissions: ['microphone'],
    ...options,
  });
  try {
    const { page, complaints } = await open(context, URL);
    await use(page, context);
    assert.deepEqual(complaints, [], 'the browser complained');
  } finally {
    await context.close();
  }
}

function picture(page, name) {
  return page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

async function heardSound(page) {
  const deadline = Date.now() + REPLY_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if ((await audioEnergy(page)) > SOUND_ENERGY) return true;
    await page.waitForTimeout(50);
  }
  return false;
}

test('speech goes in, its words appear, speech comes out, and the time it took is drawn', async (t) => {
  await withPage({}, async (page) => {
    await talk(page);
    t.diagnostic(`offer -> connected: ${Math.round(await connectMs(page))} ms`);
    const said = page.locator(SAID, { hasText: WORDS });
    await said.first().waitFor({ timeout: REPLY_TIMEOUT_MS });
    if (EXPECT !== 'none') t.diagnostic(`the transcript says: ${await said.first().innerText()}`);
    assert.ok(await heardSound(page), 'no sound came out');
    await page.locator('.waterfall .step-heard').waitFor({ timeout: REPLY_TIMEOUT_MS });
    await page.locator('.entry.agent').first().waitFor({ timeout: REPLY_TIMEOUT_MS });
    t.diagnostic(`latency: ${(await page.locator('#latency-figure').innerText()).trim()}`);
    await picture(page, 'desktop-light');
    await page.getByRole('button', { name: /Colours/ }).click();
    await page.getByRole('button', { name: 'Colours: light' }).click();
    await picture(page, 'desktop-dark');
    await page.setViewportSize(PHONE);
    await picture(page, 'phone-dark');
    await hangUp(page);
    assert.match(await page.locator('#log').innerText(), /Agent ready, RTVI 2/);
  });
});

test('calls connect quickly, one after the other', async (t) => {
  await withPage({}, async (page) => {
    const times = [];
    for (let call = 0; call < CONNECTS; call += 1) {
      await talk(page);
      times.push(Math.round(await connectMs(page)));
      await hangUp(page);
    }
    times.sort((a, b) => a - b);
    t.diagnostic(`offer -> connected, ${CONNECTS} calls, ms: ${times.join(' ')}`);
    assert.ok(times.at(-1) < 1_000, 'a call took longer than a second on this machine');
  });
});

test('when the network comes back the call finds a new path, and says so', async (t) => {
  await withPage({}, async (page, context) => {
    await talk(page);
    await context.setOffline(true);
    await context.setOffline(false);
    const log = page.locator('#log');
    await log.getByText('Connected: a new path was found').waitFor({ timeout: 10_000 });
    assert.match(await log.innerText(), /Reconnecting: the network is back/);
    const before = await audioEnergy(page);
    await page.getByPlaceholder('Or write something…').fill('what time is it');
    await page.keyboard.press('Enter');
    await page.waitForFunction(
      async (energy) => {
        const report = await globalThis.antiphonPeers.at(-1).peer.getStats();
        const inbound = [...report.values()].find(({ type }) => type === 'inbound-rtp');
        return inbound.totalAudioEnergy > energy;
      },
      before + SOUND_ENERGY,
      { timeout: REPLY_TIMEOUT_MS },
    );
    t.diagnostic('the reply was heard over the new path');
    await hangUp(page);
  });
});

test('the keyboard alone is enough for a call', async () => {
  await withPage({ viewport: PHONE }, async (page) => {
    const focusUntil = async (id) => {
      for (let presses = 0; presses < 20; presses += 1) {
        await page.keyboard.press('Tab');
        if ((await page.evaluate(() => document.activeElement?.id)) === id) return;
      }
      assert.fail(`Tab never reached #${id}`);
    };
    await focusUntil('talk');
    await page.keyboard.press('Enter');
    await page.locator('body[data-call="connected"]').waitFor({ timeout: 15_000 });
    await focusUntil('mute');
    await page.keyboard.press('Space');
    assert.equal(await page.locator('#mute').getAttribute('aria-pressed'), 'true');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Space');
    await page.locator('body[data-call="ended"]').waitFor({ timeout: 5_000 });
  });
});

test('a microphone that is not allowed is explained', async () => {
  await withPage({}, async (page) => {
    await page.evaluate(() => {
      navigator.mediaDevices.getUserMedia = () =>
        Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
    });
    await page.getByRole('button', { name: 'Talk' }).click();
    await page.getByRole('alert').filter({ hasText: 'The microphone is blocked' }).waitFor();
    await picture(page, 'microphone-blocked');
  });
});
