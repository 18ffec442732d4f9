// Alerts in a real server like Sentry, as one who pastes its address into the settings has them: however often a step
// fails, each of its conditions is one issue, and what is in it leads to the step.

import { expect, test } from '@playwright/test';

import { startServer } from '../harness/server';
import { startBugsink, type Issue } from './harness/bugsink';

test('many anomalies of one step and code are one issue', async ({ request }) => {
  test.setTimeout(240_000);
  const [bugsink, server] = await Promise.all([
    startBugsink(),
    startServer('server-bugsink', { PLUMBLINE_ALLOW_PRIVATE_TARGETS: '127.0.0.1' }),
  ]);
  try {
    const connected = await request.put(`${server.url}/api/settings/integrations/sentry`, { data: { dsn: bugsink.dsn } });
    expect(connected.ok(), await connected.text()).toBe(true);
    const tried = await request.post(`${server.url}/api/settings/integrations/sentry/test`, { data: {} });
    expect(await tried.json()).toMatchObject({ delivered: true });

    const fail = async (run: string, name: string) => {
      const step = { run_id: run, step_id: 's1', step_name: name, model: 'claude-haiku-4-5', prompt: 'Answer the ticket', output_code: 'Done.', latency_ms: 640, environment: 'production', release: '9be04a7', status_success: false, error: 'upstream timeout' };
      const stored = await request.post(`${server.url}/ingest`, { data: step });
      expect(await stored.json()).toMatchObject({ status: 'stored' });
    };
    const anomalies = 8;
    for (let n = 0; n < anomalies; n += 1) await fail(`answer-${n}`, 'answer');
    await fail('parse-0', 'parse');

    // All of them are there when none waits in the delivery log.
    const waiting = async () => {
      const answer = await request.get(`${server.url}/api/alerts?kind=sentry&state=waiting`);
      return ((await answer.json()) as { items: unknown[] }).items.length;
    };
    await expect.poll(waiting, { timeout: 60_000 }).toBe(0);

    const issues = await bugsink.issues();
    const titles = issues.map((issue: Issue) => issue.calculated_value).sort();
    expect(titles).toEqual([
      'Plumbline test: alerts of this project arrive here',
      'answer: The step failed after 640 ms.',
      'answer: upstream timeout',
      'parse: The step failed after 640 ms.',
      'parse: upstream timeout',
    ]);

    // Whatever came while another one was on its way is one event that says how often.
    const occurrences: Record<string, number> = {};
    for (const issue of issues) {
      for (const { tags, extra } of await bugsink.events(issue)) {
        const group = tags.code === undefined ? 'test' : `${tags.step} ${tags.code}`;
        occurrences[group] = (occurrences[group] ?? 0) + extra.occurrences;
      }
    }
    expect(occurrences).toEqual({ test: 1, 'answer 1001': anomalies, 'answer 1002': anomalies, 'parse 1001': 1, 'parse 1002': 1 });

    // Each is linked to its step, and to the trace of its run.
    const issue = issues.find((one) => one.calculated_value === 'answer: upstream timeout')!;
    const events = await bugsink.events(issue);
    expect(events[0]).toMatchObject({ level: 'error', release: '9be04a7', environment: 'production', tags: { step: 'answer', run: 'answer-0' } });
    expect(new Set(events.map((event) => event.contexts.trace.trace_id)).size).toBe(events.length);
    const page = await request.get(events[0]!.extra.plumbline_url.replace('http://127.0.0.1:0', server.url));
    expect(page.status()).toBe(200);
    expect(await page.text()).toContain('upstream timeout');
  } finally {
    await server.stop();
    await bugsink.stop();
  }
});
