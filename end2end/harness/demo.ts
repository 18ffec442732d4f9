// A small morning of an application: what the design's pictures show. The figures are fixed, the times end at `now`.

import type { Step } from './ingest';

const HAIKU = 'claude-haiku-4-5';
const SONNET = 'claude-sonnet-4-6';

/** Ids that tests open. */
export const demo = {
  cascade: 'resolve-ticket-c1cec6',
  brokenJson: 'parse-request',
  running: 'resolve-ticket-7b6021',
  unknownCost: 'nightly-digest-3b4e6c',
  plain: 'summarize-page-b6ffd9',
} as const;

/** Ends inside the array of entities: two brackets stay open. */
export const BROKEN_JSON = `{
  "intent": "refund",
  "entities": [
    { "type": "order", "id": "A-1042" },
    { "type": "item", "sku": "KB-88", "qty": 2 }`;

const PARSE_PROMPT = JSON.stringify([
  {
    role: 'system',
    content:
      'You turn a support message into JSON with the keys "intent" and "entities". Answer with the object and nothing around it.',
  },
  {
    role: 'user',
    content:
      'Hi, order A-1042 arrived with one keyboard (KB-88) instead of two. I would like my money back for the missing one.',
  },
]);

/** Name, kind, parent, begin and end in milliseconds, and what else there is to say. */
type Row = [name: string, kind: Step['kind'], parent: string | null, from: number, to: number, more?: Partial<Step>];

/** Rows of one run as steps; a step's id is its name, numbered where it occurs again. */
function run(runId: string, began: number, shared: Partial<Step>, rows: Row[]): Step[] {
  const seen = new Map<string, number>();
  return rows.map(([name, kind, parent, from, to, more]) => {
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    const isModel = kind === 'llm';
    return {
      run_id: runId,
      step_id: times === 1 ? name : `${name}-${times}`,
      parent_span_id: parent ?? undefined,
      step_name: name,
      kind,
      model: '',
      tool_name: kind === 'tool' ? name : undefined,
      prompt: `{"call":"${name}"}`,
      output_code: isModel ? 'Done.' : '{"ok":true}',
      started_at: new Date(began + from).toISOString(),
      latency_ms: to - from,
      input_tokens: undefined,
      output_tokens: undefined,
      ...shared,
      ...more,
    };
  });
}

const failed = (error: string): Partial<Step> => ({ status_success: false, error, output_code: undefined });

/** Dollars per million tokens, in and out. */
const PRICE = { [HAIKU]: [1, 5], [SONNET]: [3, 15] } as const;

/** A model's call; the tokens of its answer and its cost follow from the text. */
function llm(model: keyof typeof PRICE, input: number, prompt: string, answer: string, more: Partial<Step> = {}): Partial<Step> {
  const output = Math.ceil(answer.length / 4);
  const [perInput, perOutput] = PRICE[model];
  const cost = (input * perInput + output * perOutput) / 1e6;
  return { model, prompt, output_code: answer, input_tokens: input, output_tokens: output, cost, ...more };
}

/** An agent run whose answer fails because its first step left brackets open. */
function cascade(began: number): Step[] {
  const shared = { environment: 'production', release: '9be04a7', session_id: 's-4c1f90', user_id: 'u-2093', tags: ['refund'] };
  const generate = (): Partial<Step> => ({
    model: SONNET,
    ...failed("TypeError: Cannot read properties of null (reading 'entities')\n    at generateResponse (answer.ts:88:31)"),
    prompt: 'Write the reply to the customer. Context: null',
  });
  const decide = (at: number): Row => [
    'decide-next',
    'llm',
    'triage',
    at,
    at + 1_520,
    llm(SONNET, 612, 'What is the next action?', 'Ask the orders service again for A-1042.'),
  ];
  return run(demo.cascade, began, shared, [
    ['resolve-ticket', 'agent', null, 0, 38_640, failed('generate-response failed three times')],
    ['guard-input', 'guardrail', 'resolve-ticket', 30, 214],
    ['plan', 'llm', 'resolve-ticket', 226, 3_366, llm(SONNET, 3_468, 'Plan how to answer the ticket.', '1. Gather context about the order. 2. Decide. 3. Answer the customer.')],
    ['gather-context', 'chain', 'resolve-ticket', 3_380, 13_402],
    ['embed-question', 'embedding', 'gather-context', 3_396, 3_562, { model: 'text-embedding-3-small', input_tokens: 61, cost: 0.0004 }],
    ['search-kb', 'retrieval', 'gather-context', 3_574, 4_428],
    ['kb.shard-0', 'tool', 'search-kb', 3_580, 3_902],
    ['kb.shard-1', 'tool', 'search-kb', 3_580, 4_424],
    ['kb.shard-2', 'tool', 'search-kb', 3_582, 4_011],
    ['crm.lookup', 'tool', 'gather-context', 3_574, 4_183],
    ['rank-passages', 'llm', 'gather-context', 4_440, 6_104, llm(HAIKU, 6_812, 'Rank the passages by how well they answer the question.', 'Passages 4, 1 and 7 answer it best, in this order.')],
    ['orders.fetch', 'tool', 'gather-context', 6_120, 8_404, failed('503 from orders-api')],
    ['orders.fetch', 'tool', 'gather-context', 10_404, 13_388],
    ['triage', 'agent', 'resolve-ticket', 13_420, 27_080],
    ...[13_440, 15_040, 16_640, 18_240, 19_840, 21_440, 23_040, 24_640].map(decide),
    ['handoff', 'tool', 'triage', 26_196, 27_062],
    ['answer-ticket', 'chain', 'resolve-ticket', 27_096, 38_604, failed('generate-response failed three times')],
    ['parse-request', 'llm', 'answer-ticket', 27_120, 28_480, llm(HAIKU, 1_184, PARSE_PROMPT, BROKEN_JSON, {
      ttft_ms: 412,
      stop_reason: 'end_turn',
    })],
    ['enrich-context', 'llm', 'answer-ticket', 28_498, 34_898, llm(HAIKU, 2_310, `Add what we know about these entities:\n${BROKEN_JSON}`, 'null')],
    ['generate-response', 'llm', 'answer-ticket', 34_920, 35_641, generate()],
    ['generate-response', 'llm', 'answer-ticket', 36_141, 36_832, generate()],
    ['generate-response', 'llm', 'answer-ticket', 37_332, 37_911, generate()],
    ['notify-oncall', 'tool', 'answer-ticket', 37_930, 38_590],
  ]);
}

/** A run whose first step has not arrived yet: its children are all there is. */
function stillRunning(began: number): Step[] {
  return run(demo.running, began, { environment: 'production', release: '9be04a7' }, [
    ['plan', 'llm', 'resolve-ticket', 0, 2_900, llm(SONNET, 3_112, 'Plan how to answer the ticket.', '1. Look the order up. 2. Offer a replacement or a refund.')],
    ['orders.fetch', 'tool', 'resolve-ticket', 2_920, 3_410],
    ['decide-next', 'llm', 'resolve-ticket', 3_430, 4_960, llm(SONNET, 612, 'What is the next action?', 'Offer the customer a replacement keyboard.')],
  ]);
}

/** Models that nobody has a price for. */
function unknownCost(began: number): Step[] {
  return run(demo.unknownCost, began, { environment: 'production' }, [
    ['nightly-digest', 'chain', null, 0, 96_400],
    ['read-tickets', 'tool', 'nightly-digest', 40, 2_200],
    ['write-digest', 'llm', 'nightly-digest', 2_240, 61_000, {
      model: 'custom-mid',
      input_tokens: 61_200,
      output_tokens: 2_110,
      prompt: 'Write the digest of the night.',
      output_code: 'Forty-one tickets came in. Most are about late parcels; three ask for a refund.',
    }],
    ['polish', 'llm', 'nightly-digest', 61_020, 96_300, llm(SONNET, 22_400, 'Make it shorter.', 'Forty-one tickets, mostly late parcels. Three refunds to decide.')],
  ]);
}

const SUMMARY =
  'The page explains how returns work. Parcels can be sent back within thirty days. Refunds arrive within a week.';

/** One call, nothing to complain about. */
function summary(runId: string, began: number, index: number): Step[] {
  const ms = 3_700 + ((index * 613) % 1_300);
  const input = 3_500 + ((index * 271) % 420);
  return run(runId, began, { environment: 'production', release: index < 6 ? '9be04a7' : 'c4e2117', user_id: `u-${2_000 + index}` }, [
    ['summarize-page', 'llm', null, 0, ms, llm(SONNET, input, 'Summarize the page in three sentences for a customer.', SUMMARY)],
  ]);
}

/** A one-word question answered with a sentence. */
function wordy(runId: string, began: number): Step[] {
  return run(runId, began, { environment: 'staging' }, [
    ['classify-intent', 'llm', null, 0, 640, llm(HAIKU, 48, 'Answer yes or no: is this a refund request?', 'Probably, but it depends on the order.')],
  ]);
}

/** All steps of the demo, the newest run beginning half a minute before `now`. */
export function demoSteps(now: number): Step[] {
  const ago = (seconds: number) => now - seconds * 1_000;
  const steps = [
    ...stillRunning(ago(30)),
    ...cascade(ago(135)),
    ...unknownCost(ago(347)),
    ...wordy('classify-intent-74947c', ago(410)),
    ...wordy('classify-intent-0a9ba8', ago(5_400)),
  ];
  const summaries = ['b6ffd9', '41bc77', 'e02e95', 'aa9db8', 'cccae6', 'e485da', 'dedc42', '7b2322', '9975a2', '36b8f6', '795747', '55f0d1'];
  summaries.forEach((id, index) => steps.push(...summary(`summarize-page-${id}`, ago(171 + index * index * 97), index)));
  return steps;
}
