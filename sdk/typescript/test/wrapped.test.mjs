// What the providers' clients show only in corners that `end2end/sdk` does not reach. The network is a function.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

import { setUp } from './support/ingest-server.mjs';

const chunk = (more) => `data: ${JSON.stringify({ id: 'c-1', object: 'chat.completion.chunk', created: 1, model: 'm-1', choices: [], ...more })}\n\n`;
const said = (content, finish_reason = null) => chunk({ choices: [{ index: 0, delta: { content }, finish_reason }] });
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };

/** An OpenAI whose streams carry usage when asked, or that refuses the question; keeps the bodies it was sent. */
function openaiOf({ refuses = false, baseURL } = {}) {
  const bodies = [];
  const fetch = async (_, { body }) => {
    const asked = JSON.parse(body);
    bodies.push(asked);
    if (refuses && asked.stream_options) {
      const error = { message: "Unknown parameter: 'stream_options'", type: 'invalid_request_error', param: 'stream_options', code: null };
      return new Response(JSON.stringify({ error }), { status: 400, headers: { 'content-type': 'application/json' } });
    }
    const end = asked.stream_options?.include_usage ? chunk({ usage }) : '';
    return new Response(`${said('Hel')}${said('lo', 'stop')}${end}data: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } });
  };
  return { bodies, client: new OpenAI({ apiKey: 'k', maxRetries: 0, fetch, ...(baseURL ? { baseURL } : {}) }) };
}

const question = { model: 'm-1', messages: [{ role: 'user', content: 'Hello?' }], stream: true };

async function read(stream) {
  const chunks = [];
  for await (const each of stream) chunks.push(each);
  return chunks;
}

test('a stream is asked for its usage, and the caller does not see it', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const { client, bodies } = openaiOf();
  const chunks = await read(await tracer.wrapOpenAI(client).chat.completions.create(question));
  assert.deepEqual(bodies[0].stream_options, { include_usage: true });
  assert.deepEqual(chunks.map(({ choices }) => choices.length), [1, 1]);
  await tracer.flush();
  const [step] = ingest.taken();
  assert.deepEqual([step.usage, step.output_code, step.stop_reason, step.provider], [usage, 'Hello', 'stop', 'openai']);
});

test('a caller who asks sees it, and one who asks for other things gets them', async (t) => {
  const { tracer } = await setUp(t);
  const { client, bodies } = openaiOf();
  const wrapped = tracer.wrapOpenAI(client);
  assert.equal((await read(await wrapped.chat.completions.create({ ...question, stream_options: { include_usage: true } }))).length, 3);
  assert.equal((await read(await wrapped.chat.completions.create({ ...question, stream_options: { include_obfuscation: false } }))).length, 2);
  assert.deepEqual(bodies[1].stream_options, { include_obfuscation: false, include_usage: true });
});

test('a service that refuses the question is asked without it, once and for all', async (t) => {
  const { ingest, tracer, warnings } = await setUp(t);
  const { client, bodies } = openaiOf({ refuses: true, baseURL: 'https://llm.example.com/v1' });
  const wrapped = tracer.wrapOpenAI(client);
  for (let n = 0; n < 2; n += 1) assert.equal((await read(await wrapped.chat.completions.create(question))).length, 2);
  assert.deepEqual(bodies.map((body) => 'stream_options' in body), [true, false, false]);
  await tracer.flush();
  assert.deepEqual(ingest.taken().map(({ status_success, output_code }) => [status_success, output_code]), [[undefined, 'Hello'], [undefined, 'Hello']]);
  assert.deepEqual(warnings, []);
});

test('streamUsage: false never asks, and a host that is known to refuse is not asked', async (t) => {
  const { tracer } = await setUp(t);
  const plain = openaiOf();
  await read(await tracer.wrapOpenAI(plain.client, { streamUsage: false }).chat.completions.create(question));
  const mistral = openaiOf({ baseURL: 'https://api.mistral.ai/v1' });
  await read(await tracer.wrapOpenAI(mistral.client).chat.completions.create(question));
  assert.deepEqual([plain.bodies[0].stream_options, mistral.bodies[0].stream_options], [undefined, undefined]);
});

test('both halves of tee() and toReadableStream() read the same stream, and it is one step', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const wrapped = tracer.wrapOpenAI(openaiOf().client);
  const [left, right] = (await wrapped.chat.completions.create(question)).tee();
  assert.deepEqual(await read(left), await read(right));
  const bytes = await new Response((await wrapped.chat.completions.create(question)).toReadableStream()).text();
  assert.equal(bytes.trim().split('\n').length, 2);
  await tracer.flush();
  assert.deepEqual(ingest.taken().map(({ output_code }) => output_code), ['Hello', 'Hello']);
});

test('a stream that is left is aborted, and after its last event it is not', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const wrapped = tracer.wrapOpenAI(openaiOf().client);
  for await (const each of await wrapped.chat.completions.create(question)) if (each) break;
  for await (const each of await wrapped.chat.completions.create(question)) if (each.choices[0].finish_reason) break;
  await tracer.flush();
  assert.deepEqual(ingest.taken().map(({ aborted, output_code }) => [aborted, output_code]), [[true, 'Hel'], [undefined, 'Hello']]);
});

test('a chunk that says null says nothing', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const delta = { content: 'Hi', role: 'assistant', function_call: null, tool_calls: null, refusal: null };
  const body = `${chunk({ choices: [{ index: 0, delta, finish_reason: 'stop' }] })}data: [DONE]\n\n`;
  const client = new OpenAI({ apiKey: 'k', fetch: async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }) });
  await read(await tracer.wrapOpenAI(client).chat.completions.create(question));
  await tracer.flush();
  assert.equal(ingest.taken()[0].output_code, 'Hi');
});

test('helpers that call on their own are recorded call by call', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const answers = [
    { tool_calls: [{ id: 't1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } }], content: null },
    { content: 'It rains.' },
  ];
  const fetch = async () => {
    const message = { role: 'assistant', refusal: null, ...answers.shift() };
    const choices = [{ index: 0, message, finish_reason: message.tool_calls ? 'tool_calls' : 'stop' }];
    return Response.json({ id: 'c', object: 'chat.completion', created: 1, model: 'm-1', choices, usage });
  };
  const client = tracer.wrapOpenAI(new OpenAI({ apiKey: 'k', fetch }));
  const weather = { name: 'weather', description: 'Weather of a city', parameters: { type: 'object', properties: {} }, parse: JSON.parse, function: () => 'rain' };
  const runner = client.chat.completions.runTools({ ...question, stream: false, tools: [{ type: 'function', function: weather }] });
  assert.equal(await runner.finalContent(), 'It rains.');
  await tracer.flush();
  const [first, second] = ingest.taken();
  assert.match(first.output_code, /"name":"weather"/);
  assert.equal(second.output_code, 'It rains.');
});

const message = {
  id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-haiku-4-5-20251001', content: [{ type: 'text', text: 'Hi.' }],
  stop_reason: 'end_turn', stop_sequence: null, usage: { input_tokens: 3, output_tokens: 2 },
};
const ask = { model: 'claude-haiku-4-5', max_tokens: 16, messages: [{ role: 'user', content: 'Hello?' }] };
const anthropicOf = (answer = () => Response.json(message)) => {
  const bodies = [];
  const client = new Anthropic({ apiKey: 'k', maxRetries: 0, fetch: async (_, { body, signal }) => (bodies.push(JSON.parse(body)), answer(signal)) });
  return { client, bodies };
};

test('an error is thrown once, in every way of waiting, and recorded once', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const error = { message: 'no such key', type: 'invalid_request_error', code: 'invalid_api_key' };
  const fetch = async () => Response.json({ error }, { status: 401 });
  const client = tracer.wrapOpenAI(new OpenAI({ apiKey: 'k', maxRetries: 0, fetch }));
  const response = { model: 'm-1', input: 'Hello?' };
  const unheard = [];
  process.on('unhandledRejection', (reason) => unheard.push(reason));
  for (const call of [
    () => client.responses.create(response),
    () => client.responses.create(response).withResponse(),
    () => client.responses.create(response).asResponse(),
    () => client.chat.completions.create(question),
    () => client.chat.completions.stream(question).finalMessage(),
  ]) {
    await assert.rejects(call, OpenAI.AuthenticationError);
  }
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(unheard, []);
  await tracer.flush();
  assert.deepEqual(ingest.taken().map(({ error_class, status_success }) => [error_class, status_success]), Array(5).fill(['invalid_request_error', false]));
});

test('the client that was given is not changed, and what is wrapped is it', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const { client } = anthropicOf();
  const wrapped = tracer.wrapAnthropic(client);
  assert.ok(wrapped instanceof Anthropic);
  await client.messages.create(ask);
  await tracer.wrapAnthropic(wrapped).withOptions({ timeout: 5_000 }).messages.create(ask);
  await tracer.flush();
  assert.equal(ingest.taken().length, 1);
  assert.equal(wrapped.messages, wrapped.messages);
  assert.equal(wrapped.apiKey, 'k');
});

test('`_trace` does not reach the provider, whatever else goes wrong', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const { client, bodies } = anthropicOf();
  const wrapped = tracer.wrapAnthropic(client);
  await wrapped.messages.create({ ...ask, _trace: { stepName: 'named', promptTemplate: 'Hello{mark}', tags: ['a'], userId: 'u' } });
  await wrapped.messages.create({ ...ask, _trace: null });
  assert.deepEqual(bodies, [ask, ask]);
  await tracer.flush();
  const [named, counted] = ingest.taken();
  assert.deepEqual([named.step_name, named.prompt_template, named.tags, named.user_id], ['named', 'Hello{mark}', ['a'], 'u']);
  assert.deepEqual([counted.step_name, counted.step_index], ['step_2', 1]);
  assert.deepEqual([named.request_model, named.model], ['claude-haiku-4-5', 'claude-haiku-4-5-20251001']);
});

test('messages that are appended to after the call are recorded as they were', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const messages = [...ask.messages];
  const pending = tracer.wrapAnthropic(anthropicOf().client).messages.create({ ...ask, messages });
  messages.push({ role: 'assistant', content: 'later' });
  await pending;
  await tracer.flush();
  assert.equal(JSON.parse(ingest.taken()[0].prompt).messages.length, 1);
});

test('a raw response is the caller\'s to read, and its answer is recorded', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const response = await tracer.wrapAnthropic(anthropicOf().client).messages.create(ask).asResponse();
  assert.equal((await response.json()).id, 'msg_1');
  while (tracer.stats.queued === 0) await new Promise((done) => setImmediate(done));
  await tracer.flush();
  assert.deepEqual(ingest.taken().map(({ output_code, usage }) => [output_code, usage.output_tokens]), [['Hi.', 2]]);
});

test('an abort before the answer is none of the provider\'s failures', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const never = (signal) => new Promise((_, failed) => signal.addEventListener('abort', () => failed(Object.assign(new Error('aborted'), { name: 'AbortError' }))));
  const abort = new AbortController();
  const pending = tracer.wrapAnthropic(anthropicOf(never).client).messages.create(ask, { signal: abort.signal });
  setImmediate(() => abort.abort());
  await assert.rejects(pending, Anthropic.APIUserAbortError);
  await tracer.flush();
  const [step] = ingest.taken();
  assert.deepEqual([step.aborted, step.status_success, step.model], [true, undefined, 'claude-haiku-4-5']);
});

test('a run is counted from 0, is the client again, and ends up in one run id', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const anthropic = tracer.wrapAnthropic(anthropicOf().client);
  const [a, b] = [anthropic.run(), anthropic.run({ runId: 'mine' })];
  await Promise.all([a.messages.create(ask), b.messages.create(ask), a.beta.messages.create({ ...ask, betas: [] })]);
  await b.step('plan', () => b.messages.create(ask), { kind: 'agent' });
  await tracer.flush();
  const of = (run) => ingest.taken().filter(({ run_id }) => run_id === run.runId).sort((x, y) => x.step_index - y.step_index);
  assert.deepEqual(of(a).map(({ step_index, step_name }) => [step_index, step_name]), [[0, 'step_1'], [1, 'step_2']]);
  const [first, plan, inside] = of(b);
  assert.deepEqual([b.runId, first.step_name, plan.step_name, inside.step_name], ['mine', 'step_1', 'plan', 'step_3']);
  assert.deepEqual([first.parent_step_id, plan.parent_step_id, inside.parent_step_id], [undefined, undefined, plan.step_id]);
});

test('a file in a request is named by its size', async (t) => {
  const { ingest, tracer } = await setUp(t);
  const data = Buffer.alloc(300_000, 7).toString('base64');
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data } };
  const { client, bodies } = anthropicOf();
  await tracer.wrapAnthropic(client).messages.create({ ...ask, messages: [{ role: 'user', content: [image] }] });
  await tracer.flush();
  assert.equal(bodies[0].messages[0].content[0].source.data, data);
  assert.equal(JSON.parse(ingest.taken()[0].prompt).messages[0].content[0].source.data, '[file, 400000 characters of base64]');
});

test('a tracer that is not enabled sends nothing and changes nothing', async (t) => {
  const { ingest, tracer } = await setUp(t, { enabled: false });
  const { client, bodies } = anthropicOf();
  assert.equal((await tracer.wrapAnthropic(client).messages.create({ ...ask, _trace: { stepName: 'x' } })).id, 'msg_1');
  assert.deepEqual(bodies, [ask]);
  await tracer.flush();
  assert.equal(ingest.requests.length, 0);
});
