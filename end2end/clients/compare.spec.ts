// The comparer finds what it is there to find, and forgives what it says it forgives.

import { expect, test } from '@playwright/test';

import { changes } from './harness/compare';
import { readMessage, type Exchange, type Message } from './harness/http';

function message(start: string, headers: string[], body: string): Message {
  const length = `content-length: ${Buffer.byteLength(body)}`;
  const bytes = Buffer.from([start, ...headers, length, '', body].join('\r\n'));
  return readMessage(bytes, 0)!.message;
}

const REQUEST = { start: 'POST /v1/messages HTTP/1.1', headers: ['host: a', 'x-api-key: sk', 'anthropic-beta: one', 'anthropic-beta: two'], body: '{"a": 1}' };
const RESPONSE = { start: 'HTTP/1.1 200 OK', headers: ['date: now', 'set-cookie: a', 'set-cookie: b'], body: '{"b": 2}' };

function exchange(request: Partial<typeof REQUEST> = {}, response: Partial<typeof RESPONSE> = {}): Exchange {
  const [asked, answered] = [{ ...REQUEST, ...request }, { ...RESPONSE, ...response }];
  return { request: message(asked.start, asked.headers, asked.body), response: message(answered.start, answered.headers, answered.body) };
}

const forgiven: [what: string, far: Exchange][] = [
  ['nothing', exchange()],
  ['whom it asks', exchange({ headers: ['host: b', ...REQUEST.headers.slice(1)] })],
  ['the order of different names', exchange({ headers: [...REQUEST.headers].reverse().sort() })],
  ['upper and lower case of names', exchange({}, { headers: ['Date: now', 'Set-Cookie: a', 'Set-Cookie: b'] })],
  ['the connection', exchange({ headers: [...REQUEST.headers, 'connection: close'] }, { headers: [...RESPONSE.headers, 'keep-alive: timeout=5'] })],
  ['the phrase of a status', exchange({}, { start: 'HTTP/1.1 200 Fine' })],
];
const found: [what: string, far: Exchange][] = [
  ['another path', exchange({ start: 'POST /v1/messages?beta=true HTTP/1.1' })],
  ['a missing header', exchange({ headers: ['host: a', 'anthropic-beta: one', 'anthropic-beta: two'] })],
  ['headers joined into one', exchange({ headers: ['host: a', 'x-api-key: sk', 'anthropic-beta: one, two'] })],
  ['values of one name in another order', exchange({}, { headers: ['date: now', 'set-cookie: b', 'set-cookie: a'] })],
  ['an added header', exchange({ headers: [...REQUEST.headers, 'via: 1.1 us'] })],
  ['another value', exchange({}, { headers: ['date: later', 'set-cookie: a', 'set-cookie: b'] })],
  ['white space in a request', exchange({ body: '{"a":1}' })],
  ['white space in an answer', exchange({}, { body: '{"b":2}' })],
  ['another status', exchange({}, { start: 'HTTP/1.1 201 OK' })],
  ['no answer', { request: exchange().request, response: undefined }],
];

test('what is forgiven', () => {
  for (const [what, far] of forgiven) expect(changes(exchange(), far), what).toEqual([]);
});

test('what is found', () => {
  for (const [what, far] of found) expect(changes(exchange(), far), what).not.toEqual([]);
});

test('a question of ours for usage is forgiven, and what else comes with it is found', () => {
  const chat = 'POST /v1/chat/completions HTTP/1.1';
  const chunk = 'data: {"choices":[{}]}\n\n';
  const usage = 'data: {"choices":[],"usage":{"total_tokens":3}}\n\n';
  const near = exchange({ start: chat, body: '{"model": "m", "stream": true}' }, { body: chunk });
  const asked = { start: chat, body: '{"model": "m", "stream": true,"stream_options":{"include_usage":true}}' };
  expect(changes(near, exchange(asked, { body: chunk + usage })).filter((line) => !line.startsWith('response headers'))).toEqual([]);
  expect(changes(near, exchange({ ...asked, body: asked.body.replace(': "m"', ':"m"') }, { body: chunk })), 'white space').not.toEqual([]);
  expect(changes(near, exchange(asked, { body: chunk + chunk })), 'a lost chunk').not.toEqual([]);
  expect(changes(near, exchange({ ...asked, body: asked.body.replace('m', 'n') }, { body: chunk })), 'another model').not.toEqual([]);
});
