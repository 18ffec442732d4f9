// What Sentry gets, read by the parser of its own client: an event of a step that failed, and its run as a transaction
// and as spans, all of one trace.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@playwright/test';

import { startReceiver } from '../harness/receiver';
import { artifacts, repository, startServer } from '../harness/server';
import { run } from './harness/program';

interface Item {
  type: string;
  category: string;
  transaction: boolean;
  event: boolean;
  trace: string | null;
  payload: any;
}

async function parsed(envelopes: string[]): Promise<Item[]> {
  mkdirSync(artifacts, { recursive: true });
  const folder = mkdtempSync(join(artifacts, 'envelopes-'));
  envelopes.forEach((text, n) => writeFileSync(join(folder, `${n}`), text));
  const printed = await run(join(repository, 'end2end/clients/programs/sentry_envelopes.py'), { ENVELOPES: folder });
  return printed.trim().split('\n').map((line) => JSON.parse(line) as Item);
}

for (const format of ['transaction', 'spans']) {
  test(`Sentry’s own parser reads events and ${format}`, async ({ request }) => {
    const sentry = await startReceiver();
    const server = await startServer(`server-sentry-${format}`, { PLUMBLINE_ALLOW_PRIVATE_TARGETS: '127.0.0.1' });
    try {
      const dsn = `${sentry.url.replace('http://', 'http://publickey0123456789@')}/7`;
      const connected = await request.put(`${server.url}/api/settings/integrations/sentry`, { data: { dsn, format } });
      expect(connected.ok(), await connected.text()).toBe(true);
      const step = { run_id: 'r1', step_name: 'answer', model: 'claude-haiku-4-5', provider: 'anthropic', prompt: 'Answer the ticket', output_code: 'Done.', latency_ms: 640, input_tokens: 48, output_tokens: 11, cost: 0.0014 };
      const steps = [
        { ...step, step_id: 's1' },
        { ...step, step_id: 's2', parent_step_id: 's1', status_success: false, error: 'upstream timeout' },
      ];
      const stored = await request.post(`${server.url}/ingest/batch`, { data: { steps } });
      expect(await stored.json()).toMatchObject({ stored: 2, rejected: [] });
      const has = (part: string) => sentry.got.some((text) => text.includes(part));
      await expect.poll(() => has('"type":"event"') && has(format === 'spans' ? '"type":"span"' : '"type":"transaction"')).toBe(true);
      const items = await parsed(sentry.got);
      const event = items.find((item) => item.event)!;
      expect(event.category).toBe('error');
      expect(event.payload.fingerprint).toEqual(['plumbline', 'default', 'answer', event.payload.tags.code]);
      const traced = items.find((item) => item.type !== 'event')!;
      expect(traced.trace).toBe(event.payload.contexts.trace.trace_id);
      const spans = format === 'spans' ? traced.payload.items : traced.payload.spans;
      expect(spans.map((span: { span_id: string }) => span.span_id)).toContain(event.payload.contexts.trace.span_id);
      if (format === 'transaction') {
        expect(traced.category).toBe('transaction');
        expect(traced.transaction).toBe(true);
        // 48 tokens at $1 and 11 at $5 a million: ours, not what the sender said.
        expect(traced.payload.spans[0]).toMatchObject({ op: 'gen_ai.chat', data: { 'gen_ai.usage.input_tokens': 48, 'gen_ai.cost.total_tokens': 0.000103 } });
      } else {
        expect(traced.payload.items[1].attributes['gen_ai.request.model']).toEqual({ type: 'string', value: 'claude-haiku-4-5' });
      }
    } finally {
      await server.stop();
      await sentry.stop();
    }
  });
}
