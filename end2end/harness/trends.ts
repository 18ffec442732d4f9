// Thirty days of calls in which a deploy changed the model of one step eight days before `now`.

import type { APIRequestContext } from '@playwright/test';
import { expect } from '@playwright/test';

import type { Step } from './ingest';
import type { Project } from './project';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

/** When the deploy that changed something was live. */
export const switchedAt = (now: number) => Math.floor(now / DAY) * DAY - 8 * DAY + 852 * MINUTE;

/** Twelve calls a day and ten an hour around the deploys; cheap before, dear after. */
export function month(now: number): Step[] {
  const steps: Step[] = [];
  const at = switchedAt(now);
  const call = (time: number, index: number) => {
    const isAfter = time >= at;
    const spread = 1 + (index % 5) / 20;
    steps.push({
      run_id: `run-${index}`,
      step_id: 'only',
      step_name: 'summarize-page',
      started_at: new Date(time).toISOString(),
      model: isAfter ? 'made-up-large' : 'made-up-small',
      release: isAfter ? 'c4e2117a90b3' : '7d1f0a3c5e71',
      cost: (isAfter ? 0.021 : 0.008) * spread,
      latency_ms: (isAfter ? 3_000 : 1_200) * spread,
      output_code: 'A summary.',
    });
  };
  let index = 0;
  for (let day = 29; day >= 1; day -= 1) {
    for (let n = 0; n < 12; n += 1) call(Math.floor(now / DAY) * DAY - day * DAY + n * 110 * MINUTE, (index += 1));
  }
  for (let n = -20; n < 20; n += 1) call(at + n * 6 * MINUTE + MINUTE, (index += 1));
  return steps;
}

const METRICS = ['cost', 'cost_per_call', 'latency_p95', 'ttft_p95', 'error_rate', 'output_tokens', 'anomaly_rate', 'shape_mix'];

/** No change opens an incident, which would be the first thing that the overview says, from whichever moment on. */
async function quieten(request: APIRequestContext, url: string, project: Project): Promise<void> {
  const at = `${url}/api/settings/incidents?project=${project.slug}`;
  const settings = (await (await request.get(at)).json()) as object;
  const answer = await request.put(at, { data: { ...settings, quiet: METRICS.map((metric) => ({ key: null, metric })) } });
  expect(answer.status(), await answer.text()).toBe(200);
}

/** Three deploys within two and a half hours, of which the second switched the model. */
export async function ship(request: APIRequestContext, url: string, project: Project, now: number): Promise<void> {
  await quieten(request, url, project);
  const at = switchedAt(now);
  const time = (minutes: number) => new Date(at + minutes * MINUTE).toISOString();
  const deploys = [
    { id: 'pr-1', sha: '7d1f0a3c5e71', pr_number: 1, title: 'bump anthropic SDK to 0.45', author: 'mara', started_at: time(-152), completed_at: time(-147) },
    { id: 'pr-2', sha: 'c4e2117a90b3', pr_number: 2, title: 'switch summary endpoint to a <larger> model', author: 'jonas', started_at: time(-7), completed_at: time(0) },
    { id: 'pr-3', sha: '9be04a7d2211', pr_number: 3, title: 'tidy README wording', author: 'ines', started_at: time(148), completed_at: time(151) },
  ];
  for (const deploy of deploys) {
    const answer = await request.post(`${url}/api/deploys`, { headers: { authorization: `Bearer ${project.key}` }, data: deploy });
    expect(answer.status(), await answer.text()).toBe(200);
  }
}
