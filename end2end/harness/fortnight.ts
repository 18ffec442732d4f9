// Two weeks of an application in which something changed eight days before `now`: what the anomalies page is about.

import type { Step } from './ingest';

const DAY = 86_400_000;
/** Conditions per day, from thirteen days ago to today, by what goes wrong. */
const DAYS = {
  brokenJson: [0, 0, 1, 0, 0, 1, 3, 4, 5, 4, 6, 5, 4, 3],
  slowForLittle: [1, 1, 0, 1, 2, 1, 2, 4, 5, 4, 5, 4, 4, 4],
  wordyChoice: [2, 1, 2, 2, 1, 2, 2, 2, 1, 2, 3, 2, 2, 2],
  failed: [1, 0, 1, 1, 0, 1, 1, 2, 1, 2, 1, 1, 2, 1],
  tooManyWords: [3, 2, 3, 3, 2, 3, 2, 3, 2, 2, 3, 2, 2, 2],
} as const;

const OLD_PROMPT = 'You turn a support message into JSON with the keys "intent" and "entities". {{message}}';
const NEW_PROMPT = 'Be brief. Turn the support message into JSON, keys "intent" and "entities". {{message}}';

type Trouble = keyof typeof DAYS;

/** What a step of each kind says, and what it should have said. */
function step(kind: Trouble | 'fine', isNew: boolean): Step {
  const json = { step_name: 'parse-request', model: 'claude-haiku-4-5', prompt_template: isNew ? NEW_PROMPT : OLD_PROMPT };
  const prompt = (isNew ? NEW_PROMPT : OLD_PROMPT).replace('{{message}}', 'My order A-1042 is late.');
  switch (kind) {
    case 'fine':
      return { ...json, prompt, output_code: '{"intent": "status", "entities": ["A-1042"]}', latency_ms: 900, output_tokens: 14 };
    case 'brokenJson':
      return { ...json, prompt, output_code: '{"intent": "refund", "entities": [{"type": "order"', latency_ms: 1_360, output_tokens: 18 };
    case 'slowForLittle':
      return { step_name: 'enrich-context', model: 'claude-haiku-4-5', prompt: 'Add what we know.', output_code: 'null', latency_ms: 6_400, output_tokens: 3 };
    case 'wordyChoice':
      return { step_name: 'tag-document', prompt: 'Choose from: invoice, receipt, other thing. Which one is it?', output_code: 'a parking ticket', output_tokens: 5, latency_ms: 700 };
    case 'failed':
      return { step_name: 'generate-response', model: 'claude-sonnet-4-6', prompt: 'Write the reply.', status_success: false, error: "Cannot read properties of null (reading 'entities')", latency_ms: 720 };
    case 'tooManyWords':
      return { step_name: 'draft-reply', prompt: 'Greet the customer in two words.', output_code: 'Hello there and welcome to our little shop today', output_tokens: 11, latency_ms: 800 };
  }
}

/** All steps, in the order of time; each is a run of its own. */
export function fortnight(now: number): Step[] {
  const steps: Step[] = [];
  for (let day = 0; day < 14; day += 1) {
    // Noon of each day, so that none slips into the next; today's are just over.
    const began = day === 13 ? now - 600_000 : Math.floor(now / DAY) * DAY - (13 - day) * DAY + DAY / 2;
    const isNew = day >= 6;
    const kinds: (Trouble | 'fine')[] = ['fine', 'fine', 'fine', 'fine', 'fine'];
    for (const kind of Object.keys(DAYS) as Trouble[]) {
      for (let n = 0; n < (DAYS[kind][day] ?? 0); n += 1) kinds.push(kind);
    }
    kinds.forEach((kind, index) => {
      const started_at = new Date(began + index * 1_000).toISOString();
      steps.push({ run_id: `${kind}-${day}-${index}`, step_id: 'only', started_at, ...step(kind, isNew) });
    });
  }
  return steps;
}
