// What aimock answers. A fixture belongs to the scenario that stands in brackets in the prompt.

import type { Fixture } from '@copilotkit/aimock';

/** What the model says. */
export const SENTENCE = 'A plumb line is a weight on a string: it hangs straight down. Grüße 🧵';
const CREATED = 1_764_000_000;

const asked = (scenario: string) => ({ userMessage: `[${scenario}]` });
const tool = (id: string) => [{ id, name: 'get_weather', arguments: '{"city":"Oslo","unit":"celsius"}' }];

/** Sizes of one call in the words of each interface; aimock takes those of the one it answers for. */
const chatUsage = { prompt_tokens: 31, completion_tokens: 17, total_tokens: 48 };
const usage = { input_tokens: 31, output_tokens: 17 };

function refusal(scenario: string, status: number, type: string, message: string): Fixture {
  return { match: asked(scenario), response: { status, error: { type, message, code: type }, retryAfter: 7 } };
}

export const fixtures: Fixture[] = [
  // Anthropic
  { match: asked('create'), response: { id: 'msg_01', content: SENTENCE, usage } },
  { match: asked('stream'), response: { id: 'msg_01', content: SENTENCE, usage } },
  { match: asked('tools'), response: { id: 'msg_01', toolCalls: tool('toolu_01'), usage } },
  { match: asked('tools-stream'), response: { id: 'msg_01', toolCalls: tool('toolu_01'), usage } },
  { match: asked('thinking'), response: { id: 'msg_01', content: SENTENCE, reasoning: 'What hangs?', usage } },
  refusal('error-400', 400, 'invalid_request_error', 'max_tokens: must be greater than 0'),
  refusal('error-401', 401, 'authentication_error', 'invalid x-api-key'),
  refusal('error-429', 429, 'rate_limit_error', 'This request would exceed your rate limit'),
  refusal('error-500', 500, 'api_error', 'Internal server error'),
  // OpenAI
  { match: asked('chat'), response: { id: 'chatcmpl-1', created: CREATED, content: SENTENCE, usage: chatUsage } },
  { match: asked('chat-stream'), response: { id: 'chatcmpl-1', created: CREATED, content: SENTENCE, usage: chatUsage } },
  { match: asked('chat-tools'), response: { id: 'chatcmpl-1', created: CREATED, toolCalls: tool('call_01'), usage: chatUsage } },
  { match: asked('chat-tools-stream'), response: { id: 'chatcmpl-1', created: CREATED, toolCalls: tool('call_01'), usage: chatUsage } },
  { match: asked('responses'), response: { id: 'resp_1', created: CREATED, content: SENTENCE, usage } },
  { match: asked('responses-tools'), response: { id: 'resp_1', created: CREATED, toolCalls: tool('call_01'), usage } },
  refusal('chat-error-401', 401, 'invalid_request_error', 'Incorrect API key provided'),
  refusal('chat-error-429', 429, 'rate_limit_exceeded', 'Rate limit reached for gpt-4o-mini'),
  refusal('chat-error-500', 500, 'server_error', 'The server had an error'),
  // The snippets ask the question alone; both providers' words for its size stand here.
  { match: { userMessage: /^(In one sentence: )?What is a plumb line\?$/ }, response: { content: SENTENCE, usage: { ...chatUsage, ...usage } } },
  { match: asked('chat-malformed'), response: { content: SENTENCE }, chaos: { malformedRate: 1 } },
  { match: asked('chat-disconnect'), response: { content: SENTENCE }, chaos: { disconnectRate: 1 } },
  { match: asked('chat-dropped'), response: { content: SENTENCE }, chaos: { dropRate: 1 } },
];
