// What Anthropic answers in ways that aimock cannot.

import { gzipSync } from 'node:zlib';

import { untilAbandoned, write, type Answer } from './answer';

const MODEL = 'claude-sonnet-4-5-20250929';

/** An event of a stream as Anthropic writes it. */
function event(body: { type: string; [field: string]: unknown }): string {
  return `event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`;
}

const EVENT_STREAM = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };

function start(usage: Record<string, unknown> = { input_tokens: 25, output_tokens: 1 }): string {
  const message = { id: 'msg_01', type: 'message', role: 'assistant', model: MODEL, content: [], stop_reason: null, stop_sequence: null, usage };
  return event({ type: 'message_start', message });
}

function text(delta: string, index = 0): string {
  return event({ type: 'content_block_delta', index, delta: { type: 'text_delta', text: delta } });
}

const openText = (index = 0) => event({ type: 'content_block_start', index, content_block: { type: 'text', text: '' } });
const close = (index = 0) => event({ type: 'content_block_stop', index });

function end(usage: Record<string, unknown>): string {
  return event({ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage }) + event({ type: 'message_stop' });
}

const message = (content: string) => ({
  id: 'msg_01',
  type: 'message',
  role: 'assistant',
  model: MODEL,
  content: [{ type: 'text', text: content }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 25, output_tokens: 9, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, service_tier: 'standard' },
});

const overloaded = JSON.stringify({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' }, request_id: 'req_011' });

export const LARGE_TEXT = 'A plumb line is a weight on a string. '.repeat(110).slice(0, 4_096);
/** 2,560 chunks of 4 KiB: ten megabytes of text. */
export const LARGE_PIECES = 2_560;

let retries = 0;

export const anthropicAnswers: Record<string, Answer> = {
  // Headers a proxy might be tempted to drop, join or add to.
  'rate-headers': (_, response) => {
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Request-Id': 'req_011',
      'anthropic-organization-id': 'org-1',
      'anthropic-ratelimit-requests-limit': '4000',
      'anthropic-ratelimit-requests-remaining': '3999',
      'anthropic-ratelimit-tokens-reset': '2026-11-21T12:00:00Z',
      'Set-Cookie': ['__cf_bm=1; path=/', '_cfuvid=2; path=/; HttpOnly'],
      Server: 'cloudflare',
      Via: '1.1 google',
      'X-Robots-Tag': 'none',
      'X-Frame-Options': 'DENY',
      'Strict-Transport-Security': 'max-age=31536000',
      'X-Empty': '',
    });
    response.end(JSON.stringify(message('Headers are all here.')));
  },

  // Most of the prompt from the cache, some of it written there.
  cached: (_, response) => {
    const usage = { input_tokens: 40, output_tokens: 57, cache_creation_input_tokens: 300, cache_read_input_tokens: 12_000, service_tier: 'standard' };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ...message('Straight down.'), usage }));
  },

  // White space and escapes that parsing and writing again would lose, and the compressed bytes of it.
  gzip: (request, response) => {
    const body = JSON.stringify(message('Grüße, 鉛垂線 🧵'), null, 2).replace('鉛', '\\u925b');
    const accepts = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    const bytes = accepts ? gzipSync(body) : Buffer.from(body);
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': bytes.length,
      ...(accepts ? { 'content-encoding': 'gzip' } : {}),
    });
    response.end(bytes);
  },

  // Cache and thinking; usage comes twice, cumulative, and the second time without what the first said.
  usage: async (_, response) => {
    response.writeHead(200, EVENT_STREAM);
    const cache = { cache_creation_input_tokens: 300, cache_read_input_tokens: 12_000 };
    await write(response, start({ input_tokens: 40, output_tokens: 2, ...cache, cache_creation: { ephemeral_5m_input_tokens: 200, ephemeral_1h_input_tokens: 100 } }));
    await write(response, event({ type: 'ping' }));
    await write(response, event({ type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }));
    await write(response, event({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'A weight, a string.' } }));
    await write(response, event({ type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'EqQB' } }) + close(0));
    await write(response, openText(1) + text('It hangs ', 1) + text('straight down.', 1) + close(1));
    await write(response, event({ type: 'message_delta', delta: { stop_reason: null, stop_sequence: null }, usage: { output_tokens: 30 } }));
    response.end(end({ output_tokens: 57 }));
  },

  // One byte at a time: letters and events are cut anywhere.
  split: async (_, response) => {
    response.writeHead(200, EVENT_STREAM);
    const stream = Buffer.from(start() + openText() + text('鉛垂線 🧵 ') + text('hängt.') + close() + end({ output_tokens: 11 }));
    for (const byte of stream) await write(response, Buffer.of(byte));
    response.end();
  },

  large: async (_, response, body) => {
    response.writeHead(200, EVENT_STREAM);
    await write(response, start({ input_tokens: Math.round(body.length / 4), output_tokens: 1 }) + openText());
    for (let n = 0; n < LARGE_PIECES; n += 1) await write(response, text(LARGE_TEXT));
    response.end(close() + end({ output_tokens: 2_621_440 }));
  },

  'held-open': async (_, response) => {
    response.writeHead(200, EVENT_STREAM);
    await write(response, start({ input_tokens: 25, output_tokens: 3 }) + openText() + text('A weight'));
    await untilAbandoned(response);
  },

  // The caller gives up before anything came back.
  'never-answered': async (_, response) => untilAbandoned(response),

  'error-in-stream': async (_, response) => {
    response.writeHead(200, EVENT_STREAM);
    await write(response, start() + openText() + text('A weight'));
    response.end(event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }));
  },

  cut: async (_, response) => {
    response.writeHead(200, EVENT_STREAM);
    await new Promise<void>((sent) => response.write(start() + openText() + text('A weight'), () => sent()));
    response.destroy();
  },

  'error-529': (_, response) => {
    response.writeHead(529, { 'content-type': 'application/json', 'request-id': 'req_011', 'x-should-retry': 'true' });
    response.end(overloaded);
  },

  // Refuses the first of two attempts.
  retry: (_, response) => {
    retries += 1;
    const refused = retries % 2 === 1;
    response.writeHead(refused ? 529 : 200, { 'content-type': 'application/json', ...(refused ? { 'retry-after-ms': '1' } : {}) });
    response.end(refused ? overloaded : JSON.stringify(message('At last.')));
  },

  'not-json': (_, response) => {
    response.writeHead(502, { 'content-type': 'text/html' });
    response.end('<html><body><h1>502 Bad Gateway</h1></body></html>');
  },

  'count-tokens': (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'request-id': 'req_011' });
    response.end('{"input_tokens":2095}');
  },

  'anthropic-models': (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const model = { type: 'model', id: MODEL, display_name: 'Claude Sonnet 4.5', created_at: '2025-09-29T00:00:00Z' };
    response.end(JSON.stringify({ data: [model], has_more: false, first_id: MODEL, last_id: MODEL }));
  },
};
