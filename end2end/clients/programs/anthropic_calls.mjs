// Every scenario with Anthropic's client for Node. Prints one JSON line each: what the program got to see.

import Anthropic from '@anthropic-ai/sdk';

import { BASE_URL, callHeaders, collect, named, ofTheConnection, runAll, wrapped } from './outcome.mjs';

const model = 'claude-sonnet-4-5-20250929';
const tools = [{ name: 'get_weather', description: 'Weather of a city', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }];

const client = wrapped('wrapAnthropic', new Anthropic({ baseURL: BASE_URL, apiKey: 'sk-ant-callers-own', maxRetries: 0, timeout: 60_000 }));

const question = (content) => [{ role: 'user', content }];
const asking = (scenario, more) => ({ model, max_tokens: 1024, messages: question(`[${scenario}] What is a plumb line?`), ...named(scenario), ...more });
const options = (scenario, more) => ({ headers: callHeaders(scenario), ...more });

const create = (more) => (scenario) => client.messages.create(asking(scenario, more), options(scenario));

async function raw(scenario) {
  const { data, response } = await client.messages.create(asking(scenario), options(scenario)).withResponse();
  return { headers: [...response.headers].filter(([name]) => !ofTheConnection.includes(name)), body: data };
}

const stream = (more) => async (scenario) => {
  const events = client.messages.stream(asking(scenario, more), options(scenario));
  const kinds = await collect(events, ({ type }) => type);
  return { kinds, message: await events.finalMessage() };
};

async function large(scenario) {
  const request = asking(scenario, { messages: question('plumb '.repeat(174_763)), stream: true });
  let length = 0;
  for await (const event of await client.messages.create(request, options(scenario))) length += event.delta?.text?.length ?? 0;
  return { length };
}

/** Aborts the stream after the first words. */
async function leave(scenario) {
  const events = await client.messages.create(asking(scenario, { stream: true }), options(scenario));
  for await (const event of events) {
    if (event.type !== 'content_block_delta') continue;
    events.controller.abort();
    return { first: event.delta.text };
  }
}

const giveUp = (scenario) => client.messages.create(asking(scenario), options(scenario, { timeout: 1_000 }));
const retry = (scenario) => client.messages.create(asking(scenario), options(scenario, { maxRetries: 1 }));
const countTokens = (scenario) => client.messages.countTokens({ model, messages: question('What is a plumb line?') }, options(scenario));
const models = (scenario) => collect(client.models.list({}, options(scenario)));

await runAll({
  create: create(),
  stream: stream(),
  tools: create({ tools }),
  'tools-stream': stream({ tools }),
  thinking: stream(),
  usage: stream(),
  'rate-headers': raw,
  gzip: create(),
  split: stream(),
  large,
  'error-400': create(),
  'error-401': create(),
  'error-429': create(),
  'error-500': create(),
  'error-529': create(),
  'not-json': create(),
  'error-in-stream': stream(),
  cut: stream(),
  retry,
  'held-open': leave,
  'never-answered': giveUp,
  'count-tokens': countTokens,
  'anthropic-models': models,
});
