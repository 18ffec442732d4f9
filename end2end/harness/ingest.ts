// Sends steps the way an SDK does. Only what a test cares about has to be named.

import type { APIRequestContext } from '@playwright/test';
import { expect } from '@playwright/test';

/** The body of `POST /ingest`; absent mandatory fields are filled in. */
export interface Step {
  run_id?: string;
  step_name?: string;
  model?: string;
  prompt?: string;
  latency_ms?: number;
  step_id?: string;
  parent_span_id?: string;
  started_at?: string;
  kind?: 'llm' | 'tool' | 'agent' | 'chain' | 'retrieval' | 'embedding' | 'guardrail' | 'other';
  input_tokens?: number;
  output_tokens?: number;
  cost?: number;
  output_code?: string;
  status_success?: boolean;
  error?: string;
  session_id?: string;
  user_id?: string;
  [field: string]: unknown;
}

export type Ingest = (...steps: Step[]) => Promise<void>;

let runs = 0;

/** Sends to the project of `key`, or without one to the server's first project. */
export function ingestInto(request: APIRequestContext, url: string, key?: string): Ingest {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  return async (...steps) => {
    const filled = steps.map((step) => ({
      run_id: `e2e-run-${(runs += 1)}`,
      step_name: 'answer',
      model: 'gpt-4o-mini',
      prompt: 'What is a plumb line?',
      output_code: 'A weight on a string.',
      latency_ms: 420,
      input_tokens: 120,
      output_tokens: 40,
      ...step,
    }));
    // The server takes a thousand steps at a time.
    for (let from = 0; from < filled.length; from += 1_000) {
      const batch = filled.slice(from, from + 1_000);
      const answer = await request.post(`${url}/ingest/batch`, { headers, data: { steps: batch } });
      expect(answer.status(), await answer.text()).toBe(200);
      expect(await answer.json()).toMatchObject({ stored: batch.length, rejected: [] });
    }
  };
}
