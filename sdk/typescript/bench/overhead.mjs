// What recording adds to a call: the official client with a network that answers at once, plain and wrapped in turns, and
// what a thousand steps that wait take of memory. Prints a table: npm run bench

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

import { Tracer } from '@plumbline/sdk';

const ROUNDS = 15;
const CALLS = 400;

const json = (body) => () => Promise.resolve(new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } }));
const message = {
  id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-haiku-4-5', content: [{ type: 'text', text: 'A weight on a string. '.repeat(20) }],
  stop_reason: 'end_turn', stop_sequence: null, usage: { input_tokens: 900, output_tokens: 120, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 },
};
const chunk = (delta, more) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini', choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`;
const streamed = Array.from({ length: 200 }, () => chunk({ content: 'plumb ' })).join('') + chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }) + 'data: [DONE]\n\n';
const sse = () => Promise.resolve(new Response(streamed, { headers: { 'content-type': 'text/event-stream' } }));

const anthropic = new Anthropic({ apiKey: 'k', fetch: json(message) });
const openai = new OpenAI({ apiKey: 'k', fetch: sse });

const turns = (count) => Array.from({ length: count }, (_, n) => ({ role: n % 2 ? 'assistant' : 'user', content: 'What is a plumb line, and who uses one? '.repeat(5) }));
const ask = (client, messages) => client.messages.create({ model: 'claude-haiku-4-5', max_tokens: 256, messages });
const readStream = async (client) => {
  for await (const each of await client.chat.completions.create({ model: 'gpt-4o-mini', messages: turns(1), stream: true })) void each;
};

async function perCall(fn, calls) {
  const began = process.cpuUsage();
  for (let n = 0; n < calls; n += 1) await fn();
  // Time of the processor, so that what else runs on the machine does not count.
  const { user, system } = process.cpuUsage(began);
  return (user + system) / calls;
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function compare(name, plain, recorded, calls = CALLS) {
  const differences = [];
  const base = [];
  await perCall(plain, calls);
  await perCall(recorded, calls);
  for (let round = 0; round < ROUNDS; round += 1) {
    const without = await perCall(plain, calls);
    base.push(without);
    differences.push((await perCall(recorded, calls)) - without);
  }
  console.log(`${name.padEnd(52)} ${median(base).toFixed(0).padStart(7)} µs ${`+${median(differences).toFixed(1)}`.padStart(8)} µs`);
}

// Sends to nobody, as fast as it can: what is measured is what a caller's thread does for it.
const tracer = new Tracer({ fetch: json({ stored: 1, duplicate: 0, rejected: [] }), apiUrl: 'http://nowhere' });
const wrapped = tracer.wrapAnthropic(anthropic);
const add = (a, b) => a + b;
const observed = tracer.observe(add);

console.log(`${'a call'.padEnd(52)} ${'plain'.padStart(10)} ${'recorded'.padStart(11)}`);
await compare('messages.create, 1 turn', () => ask(anthropic, turns(1)), () => ask(wrapped, turns(1)));
await compare('messages.create, 50 turns (10 kB)', () => ask(anthropic, turns(50)), () => ask(wrapped, turns(50)));
await compare('chat stream of 200 chunks', () => readStream(openai), () => readStream(tracer.wrapOpenAI(openai)), 40);
await compare('observe() around a + b', () => add(1, 2), () => observed(1, 2), 20_000);
await tracer.shutdown();

globalThis.gc?.();
const before = process.memoryUsage();
const waiting = new Tracer({ flushIntervalMs: 600_000, apiUrl: 'http://nowhere', fetch: () => new Promise(() => {}), onWarning: () => {} });
const client = waiting.wrapAnthropic(anthropic);
for (let n = 0; n < 1_000; n += 1) await ask(client, turns(10));
globalThis.gc?.();
const after = process.memoryUsage();
const kept = after.heapUsed + after.external - before.heapUsed - before.external;
console.log(`1,000 steps of 2 kB that wait${' '.repeat(24)} ${(kept / 1024 / 1024).toFixed(1).padStart(7)} MiB`);
process.exit(0);
