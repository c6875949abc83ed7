import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';

import { Signaling, parseIceServers } from './signaling.js';

test('link headers name STUN and TURN servers, several in one header or not', () => {
  assert.deepEqual(
    parseIceServers(
      '<stun:a.example:3478>; rel="ice-server", ' +
        '<turn:b.example?transport=udp>; rel="ice-server"; username="1:u"; ' +
        'credential="a\\"b,c;d="; credential-type="password", ' +
        '<https://docs.example>; rel="help", <javascript:x>; rel="ice-server"',
    ),
    [
      { urls: 'stun:a.example:3478' },
      { urls: 'turn:b.example?transport=udp', username: '1:u', credential: 'a"b,c;d=' },
    ],
  );
  for (const nothing of [null, '', 'nonsense', '<', '<stun:x']) {
    assert.deepEqual(parseIceServers(nothing), []);
  }
});

/** A server that answers with what the test says and keeps what it was asked. */
let server;
let endpoint;
let answer;
const asked = [];

before(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push({ method: request.method, path: request.url, headers: request.headers, body });
    const { status, headers = {}, text = '' } = answer;
    response.writeHead(status, headers).end(text);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = new URL(`http://127.0.0.1:${server.address().port}/v1/rtc?agent=a`);
});

after(() => server.close());

test('a call is offered, trickled, restarted and ended under its own tag', async () => {
  const signaling = new Signaling(endpoint, 'key');
  answer = { status: 201, headers: { location: '/v1/rtc/c1', etag: '"e1"' }, text: 'v=0' };
  assert.deepEqual(await signaling.offer('offer'), { answer: 'v=0', iceServers: [] });
  answer = { status: 204 };
  await signaling.trickle('one');
  answer = { status: 200, headers: { etag: '"e2"' }, text: 'fragment' };
  assert.equal(await signaling.restart('two'), 'fragment');
  answer = { status: 204 };
  await signaling.trickle('three');
  answer = { status: 200 };
  await signaling.end();
  await signaling.end();
  const seen = asked.splice(0).map(({ method, path, headers, body }) => {
    assert.equal(headers.authorization, 'Bearer key');
    return [method, path, headers['if-match'], body].filter(Boolean).join(' ');
  });
  assert.deepEqual(seen, [
    'POST /v1/rtc?agent=a offer',
    'PATCH /v1/rtc/c1 "e1" one',
    'PATCH /v1/rtc/c1 * two',
    'PATCH /v1/rtc/c1 "e2" three',
    'DELETE /v1/rtc/c1',
  ]);
});

test('a refusal says what the server said', async () => {
  const rows = [
    [401, { detail: 'no such token' }, 'unauthorized', /no such token/],
    [503, { detail: 'full' }, 'busy', /full/],
    [422, { title: 'no audio' }, 'refused', /no audio/],
    [500, null, 'refused', /500/],
  ];
  for (const [status, problem, code, message] of rows) {
    answer = { status, text: problem ? JSON.stringify(problem) : '<html>' };
    await assert.rejects(new Signaling(endpoint).offer('offer'), { code, message, status });
  }
  answer = { status: 201, text: 'v=0' };
  await assert.rejects(new Signaling(endpoint).offer('offer'), { code: 'malformed-answer' });
});

test('candidates under way are not sent to a call that is over', async () => {
  answer = { status: 201, headers: { location: '/v1/rtc/c1' }, text: 'v=0' };
  const signaling = new Signaling(endpoint);
  await signaling.offer('offer');
  answer = { status: 404 };
  const trickling = assert.rejects(signaling.trickle('late'), { code: 'unreachable' });
  await signaling.end();
  await trickling;
});

test('a late trickle is no error, and a server that is away is one', async () => {
  answer = { status: 201, headers: { location: '/v1/rtc/c1' }, text: 'v=0' };
  const signaling = new Signaling(endpoint);
  await signaling.offer('offer');
  answer = { status: 412 };
  await signaling.trickle('late');
  const nowhere = new Signaling(new URL('http://127.0.0.1:1/v1/rtc'));
  await assert.rejects(nowhere.offer('offer'), { code: 'unreachable' });
  assert.deepEqual(await nowhere.iceServers(), []);
});
