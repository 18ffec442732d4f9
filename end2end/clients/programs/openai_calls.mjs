// Every scenario with OpenAI's client for Node. Prints one JSON line each: what the program got to see.

import OpenAI from 'openai';

import { BASE_URL, callHeaders, collect, named, runAll, wrapped } from './outcome.mjs';

const model = 'gpt-4o-mini';
const chatTools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object' } } }];
const responsesTools = [{ type: 'function', name: 'get_weather', parameters: { type: 'object' }, strict: false }];
const askForUsage = { stream_options: { include_usage: true } };

const client = wrapped(
  'wrapOpenAI',
  new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: 'sk-callers-own', maxRetries: 0, timeout: 60_000 }),
  { streamUsage: true },
);

const asking = (scenario, more) => ({
  model,
  messages: [{ role: 'user', content: `[${scenario.replace(/-asked$/, '')}] What is a plumb line?` }],
  ...named(scenario),
  ...more,
});
const options = (scenario) => ({ headers: callHeaders(scenario) });

const chat = (more) => (scenario) => client.chat.completions.create(asking(scenario, more), options(scenario));
const chatStream = (more) => async (scenario) =>
  collect(await client.chat.completions.create(asking(scenario, { stream: true, ...more }), options(scenario)));

async function chatLarge(scenario) {
  const messages = [{ role: 'user', content: 'plumb '.repeat(174_763) }];
  let length = 0;
  for await (const chunk of await client.chat.completions.create(asking(scenario, { messages, stream: true }), options(scenario))) {
    length += chunk.choices[0].delta.content?.length ?? 0;
  }
  return { length };
}

/** Leaves the loop, which aborts the stream, after the first words. */
async function leave(scenario) {
  for await (const chunk of await client.chat.completions.create(asking(scenario, { stream: true }), options(scenario))) {
    return { first: chunk.choices[0].delta.content };
  }
}

const responses = (more) => async (scenario) => {
  const answer = await client.responses.create({ model, input: `[${scenario}] What is a plumb line?`, ...named(scenario), ...more }, options(scenario));
  return { text: answer.output_text, usage: answer.usage, kinds: answer.output.map(({ type }) => type) };
};

async function responsesStream(scenario) {
  const input = '[responses] What is a plumb line?';
  return collect(await client.responses.create({ model, input, stream: true, ...named(scenario) }, options(scenario)), ({ type }) => type);
}

async function responsesLeave(scenario) {
  for await (const event of await client.responses.create({ model, input: 'What?', stream: true, ...named(scenario) }, options(scenario))) {
    if (event.type === 'response.output_text.delta') return { first: event.delta };
  }
}

const completing = { model: 'gpt-3.5-turbo-instruct', prompt: 'A plumb line is' };
const completions = (scenario) => client.completions.create({ ...completing, ...named(scenario) }, options(scenario));
const completionsStream = async (scenario) => collect(await client.completions.create({ ...completing, stream: true, ...named(scenario) }, options(scenario)));

const embeddings = (scenario) =>
  client.embeddings.create({ model: 'text-embedding-3-small', input: '[embeddings] a weight', ...named(scenario) }, options(scenario));
const models = (scenario) => collect(client.models.list(options(scenario)));

await runAll({
  chat: chat(),
  'chat-stream': chatStream(),
  'chat-stream-asked': chatStream(askForUsage),
  'chat-tools': chat({ tools: chatTools }),
  'chat-tools-stream': chatStream({ tools: chatTools }),
  'chat-usage': chat(),
  'chat-wire': chatStream(),
  'chat-wire-asked': chatStream(askForUsage),
  'chat-large': chatLarge,
  'chat-error-401': chat(),
  'chat-error-429': chat(),
  'chat-error-500': chat(),
  'chat-malformed': chat(),
  'chat-disconnect': chat(),
  'chat-dropped': chat(),
  'chat-error-in-stream': chatStream(),
  'chat-cut': chatStream(),
  'chat-held-open': leave,
  responses: responses(),
  'responses-stream': responsesStream,
  'responses-tools': responses({ tools: responsesTools }),
  'responses-incomplete': responsesStream,
  'responses-held-open': responsesLeave,
  completions,
  'completions-stream': completionsStream,
  embeddings,
  'openai-models': models,
});
