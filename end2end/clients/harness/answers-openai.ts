// What OpenAI answers in ways that aimock cannot.

import { untilAbandoned, write, type Answer } from './answer';
import { LARGE_PIECES, LARGE_TEXT } from './answers-anthropic';

const MODEL = 'gpt-4o-mini-2024-07-18';
const EVENT_STREAM = { 'content-type': 'text/event-stream; charset=utf-8', 'x-request-id': 'req_022', 'openai-processing-ms': '312' };

const data = (body: unknown) => `data: ${typeof body === 'string' ? body : JSON.stringify(body)}\n\n`;

/** A chunk of a chat; `usage: null` stands in each one when the caller has asked for usage. */
function chunk(asked: boolean, delta: Record<string, unknown>, finish: string | null = null): string {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
  const body = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_764_000_000, model: MODEL, service_tier: 'default', choices };
  return data(asked ? { ...body, usage: null } : body);
}

function usageChunk(usage: Record<string, unknown>): string {
  return data({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_764_000_000, model: MODEL, choices: [], usage });
}

function asksForUsage(body: string): boolean {
  const { stream_options: options } = JSON.parse(body) as { stream_options?: { include_usage?: boolean } };
  return options?.include_usage === true;
}

const DETAILED_USAGE = {
  prompt_tokens: 1_200,
  completion_tokens: 300,
  total_tokens: 1_500,
  prompt_tokens_details: { cached_tokens: 1_024, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 192, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
};

const completion = (text: string) => ({
  id: 'cmpl-1',
  object: 'text_completion',
  created: 1_764_000_000,
  model: 'gpt-3.5-turbo-instruct',
  choices: [{ text, index: 0, logprobs: null, finish_reason: 'stop' }],
});

/** An event of the Responses interface. */
const event = (type: string, body: Record<string, unknown>) => `event: ${type}\n${data({ type, ...body })}`;

const emptyResponse = { id: 'resp_1', object: 'response', created_at: 1_764_000_000, status: 'in_progress', model: MODEL, output: [] };

export const openaiAnswers: Record<string, Answer> = {
  'chat-usage': (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-request-id': 'req_022', 'x-ratelimit-remaining-tokens': '149984' });
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Straight down.', refusal: null }, logprobs: null, finish_reason: 'stop' }];
    const body = { id: 'chatcmpl-1', object: 'chat.completion', created: 1_764_000_000, model: MODEL, choices, usage: DETAILED_USAGE, service_tier: 'default' };
    response.end(`${JSON.stringify(body, null, 2)}\n`);
  },

  // The wire as OpenAI writes it, whether or not the caller asked for usage.
  'chat-wire': async (_, response, body) => {
    const asked = asksForUsage(body);
    response.writeHead(200, EVENT_STREAM);
    await write(response, chunk(asked, { role: 'assistant', content: '', refusal: null }));
    for (const word of ['Ein ', 'Lot ', 'hängt ', '🧵.']) await write(response, chunk(asked, { content: word }));
    await write(response, chunk(asked, {}, 'stop'));
    if (asked) await write(response, usageChunk(DETAILED_USAGE));
    response.end(data('[DONE]'));
  },

  'chat-large': async (_, response, body) => {
    const asked = asksForUsage(body);
    response.writeHead(200, EVENT_STREAM);
    for (let n = 0; n < LARGE_PIECES; n += 1) await write(response, chunk(asked, { content: LARGE_TEXT }));
    await write(response, chunk(asked, {}, 'stop'));
    if (asked) await write(response, usageChunk({ prompt_tokens: 262_144, completion_tokens: 2_621_440, total_tokens: 2_883_584 }));
    response.end(data('[DONE]'));
  },

  'chat-held-open': async (_, response, body) => {
    response.writeHead(200, EVENT_STREAM);
    await write(response, chunk(asksForUsage(body), { role: 'assistant', content: 'A weight' }));
    await untilAbandoned(response);
  },

  'chat-error-in-stream': async (_, response, body) => {
    response.writeHead(200, EVENT_STREAM);
    await write(response, chunk(asksForUsage(body), { role: 'assistant', content: 'A weight' }));
    response.end(data({ error: { message: 'The server had an error', type: 'server_error', param: null, code: null } }));
  },

  'chat-cut': async (_, response, body) => {
    response.writeHead(200, EVENT_STREAM);
    const first = chunk(asksForUsage(body), { role: 'assistant', content: 'A weight' });
    await new Promise<void>((sent) => response.write(first, () => sent()));
    response.destroy();
  },

  'responses-held-open': async (_, response) => {
    response.writeHead(200, EVENT_STREAM);
    await write(response, event('response.created', { sequence_number: 0, response: emptyResponse }));
    await write(response, event('response.output_text.delta', { sequence_number: 1, item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'A weight', logprobs: [] }));
    await untilAbandoned(response);
  },

  'responses-incomplete': async (_, response) => {
    response.writeHead(200, EVENT_STREAM);
    await write(response, event('response.created', { sequence_number: 0, response: emptyResponse }));
    const part = { id: 'msg_1', type: 'message', status: 'incomplete', role: 'assistant', content: [{ type: 'output_text', text: 'A weight', annotations: [] }] };
    const usage = { input_tokens: 90, input_tokens_details: { cached_tokens: 64 }, output_tokens: 16, output_tokens_details: { reasoning_tokens: 12 }, total_tokens: 106 };
    const whole = { ...emptyResponse, status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output: [part], usage };
    response.end(event('response.incomplete', { sequence_number: 1, response: whole }));
  },

  // Three numbers in the packed form that clients ask for.
  embeddings: (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const packed = Buffer.from(Float32Array.of(0.25, -0.5, 0.125).buffer).toString('base64');
    const items = [{ object: 'embedding', index: 0, embedding: packed }];
    response.end(JSON.stringify({ object: 'list', data: items, model: 'text-embedding-3-small', usage: { prompt_tokens: 8, total_tokens: 8 } }));
  },

  completions: (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ...completion('A weight on a string.'), usage: { prompt_tokens: 8, completion_tokens: 6, total_tokens: 14 } }));
  },

  'completions-stream': async (_, response, body) => {
    response.writeHead(200, EVENT_STREAM);
    for (const word of ['A weight ', 'on a string.']) await write(response, data(completion(word)));
    if (asksForUsage(body)) {
      await write(response, data({ ...completion(''), choices: [], usage: { prompt_tokens: 8, completion_tokens: 6, total_tokens: 14 } }));
    }
    response.end(data('[DONE]'));
  },
};
