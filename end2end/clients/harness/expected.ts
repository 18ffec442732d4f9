// What Plumbline must have stored for each scenario: one step per call, as the provider answered it.

import type { StoredStep } from './test';

/** Fields of a step that a scenario says something about. */
export type Expected = Partial<Omit<StoredStep, 'step_id'>>;

interface Tokens {
  input_fresh?: number | null;
  cache_read?: number | null;
  cache_write?: number | null;
  cache_write_1h?: number | null;
  output?: number | null;
  reasoning?: number | null;
}

const tokens = (sizes: Tokens) => ({ tokens: sizes });
const ok = (model: string, stop_reason: string, sizes: Tokens): Expected => ({ status: 'ok', error: null, model, stop_reason, ...tokens(sizes) });
const failed: Expected = { status: 'error' };

const SONNET = 'claude-sonnet-4-5-20250929';
const MINI = 'gpt-4o-mini';
const MINI_DATED = 'gpt-4o-mini-2024-07-18';
const small = { input_fresh: 31, output: 17 };
const own = { input_fresh: 25, output: 9 };

/** Scenario to its steps; calls that ask for no answer of a model are none. */
export const anthropicSteps: Record<string, Expected[]> = {
  create: [ok(SONNET, 'end_turn', small)],
  stream: [ok(SONNET, 'end_turn', small)],
  tools: [ok(SONNET, 'tool_use', small)],
  'tools-stream': [ok(SONNET, 'tool_use', small)],
  thinking: [ok(SONNET, 'end_turn', small)],
  usage: [ok(SONNET, 'end_turn', { input_fresh: 40, cache_read: 12_000, cache_write: 300, cache_write_1h: 100, output: 57 })],
  'rate-headers': [ok(SONNET, 'end_turn', own)],
  gzip: [ok(SONNET, 'end_turn', own)],
  split: [ok(SONNET, 'end_turn', { input_fresh: 25, output: 11 })],
  large: [ok(SONNET, 'end_turn', { output: 2_621_440 })],
  'error-400': [failed],
  'error-401': [failed],
  'error-429': [failed],
  'error-500': [failed],
  'error-529': [failed],
  'not-json': [failed],
  'error-in-stream': [{ ...failed, model: SONNET, tokens: { input_fresh: 25 } }],
  cut: [{ ...failed, model: SONNET, tokens: { input_fresh: 25 } }],
  retry: [failed, ok(SONNET, 'end_turn', own)],
  'held-open': [{ status: 'aborted', model: SONNET, tokens: { input_fresh: 25 } }],
  'never-answered': [{ status: 'aborted' }],
  'count-tokens': [],
  'anthropic-models': [],
};

const chat = { input_fresh: 31, output: 17 };
const detailed = { input_fresh: 176, cache_read: 1_024, output: 300, reasoning: 192 };

export const openaiSteps: Record<string, Expected[]> = {
  chat: [ok(MINI, 'stop', chat)],
  'chat-stream': [ok(MINI, 'stop', chat)],
  'chat-stream-asked': [ok(MINI, 'stop', chat)],
  'chat-tools': [ok(MINI, 'tool_calls', chat)],
  'chat-tools-stream': [ok(MINI, 'tool_calls', chat)],
  'chat-usage': [{ ...ok(MINI_DATED, 'stop', detailed), request_model: MINI }],
  'chat-wire': [ok(MINI_DATED, 'stop', detailed)],
  'chat-wire-asked': [ok(MINI_DATED, 'stop', detailed)],
  'chat-large': [ok(MINI_DATED, 'stop', { input_fresh: 262_144, output: 2_621_440 })],
  'chat-error-401': [failed],
  'chat-error-429': [failed],
  'chat-error-500': [failed],
  'chat-malformed': [{ name: 'chat-malformed' }],
  'chat-disconnect': [failed],
  'chat-dropped': [failed],
  'chat-error-in-stream': [{ ...failed, model: MINI_DATED }],
  'chat-cut': [{ ...failed, model: MINI_DATED }],
  'chat-held-open': [{ status: 'aborted', model: MINI_DATED }],
  responses: [ok(MINI, 'completed', small)],
  'responses-stream': [ok(MINI, 'completed', small)],
  'responses-tools': [{ status: 'ok', model: MINI, tokens: small }],
  'responses-incomplete': [{ status: 'ok', model: MINI_DATED, tokens: { input_fresh: 26, cache_read: 64, output: 16, reasoning: 12 } }],
  'responses-held-open': [{ status: 'aborted', model: MINI_DATED }],
  completions: [ok('gpt-3.5-turbo-instruct', 'stop', { input_fresh: 8, output: 6 })],
  'completions-stream': [ok('gpt-3.5-turbo-instruct', 'stop', { input_fresh: 8, output: 6 })],
  embeddings: [{ status: 'ok', kind: 'embedding', model: 'text-embedding-3-small', tokens: { input_fresh: 8 } }],
  'openai-models': [],
};

/** Scenarios whose answer is a stream, so that the time to its first byte is known. */
export const STREAMS = /stream|^usage$|split|large|held-open|thinking|cut|wire|incomplete/;
