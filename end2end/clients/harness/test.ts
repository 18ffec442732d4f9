// `import { test, expect } from './harness/test'`: a provider, the proxy in front of it, and taps on both sides.

import { test as base, expect, type APIRequestContext } from '@playwright/test';

import { makeProject, type Project } from '../../harness/project';
import { startServer, type Server } from '../../harness/server';
import { startProvider, type Provider } from './provider';
import { tap, type Tap } from './tap';

export { expect };

/** A step as `GET /api/runs/{id}` shows it. */
export interface StoredStep {
  step_id: string;
  parent_step_id: string | null;
  name: string;
  status: string;
  [field: string]: unknown;
}

export interface StoredRun {
  run: { run_id: string; session_id: string | null; user_id: string | null; [field: string]: unknown };
  steps: StoredStep[];
}

interface Way {
  readonly provider: Provider;
  readonly server: Server;
  /** Between the provider and whoever asks it. */
  readonly far: Tap;
  /** In front of the proxy. */
  readonly proxied: Tap;
  /** In front of the provider. */
  readonly direct: Tap;
}

interface Tools {
  project: Project;
  /** The run as soon as it has `steps` steps. */
  stored: (runId: string, steps: number) => Promise<StoredRun>;
}

export const test = base.extend<Tools, { way: Way }>({
  way: [
    async ({}, use) => {
      const provider = await startProvider();
      const far = await tap(provider.url);
      // Workers have a number, and a log each.
      const server = await startServer(`clients-${process.env.TEST_PARALLEL_INDEX ?? 0}`, {
        PLUMBLINE_UPSTREAM_ANTHROPIC: far.url,
        PLUMBLINE_UPSTREAM_OPENAI: far.url,
      });
      const proxied = await tap(server.url);
      const direct = await tap(far.url);
      await use({ provider, server, far, proxied, direct });
      await server.stop();
      for (const each of [proxied, direct, far]) await each.stop();
      await provider.stop();
    },
    { scope: 'worker', timeout: 90_000 },
  ],

  project: async ({ request, way }, use) => use(await makeProject(request, way.server.url)),

  stored: async ({ request, way, project }, use) =>
    use(async (runId, steps) => {
      let found: StoredRun | undefined;
      await expect
        .poll(async () => (found = await runOf(request, way.server.url, project.key, runId))?.steps.length ?? 0, {
          message: `steps of ${runId}`,
          intervals: [20, 50, 100],
        })
        .toBe(steps);
      return found as StoredRun;
    }),
});

async function runOf(request: APIRequestContext, url: string, key: string, runId: string): Promise<StoredRun | undefined> {
  const answer = await request.get(`${url}/api/runs/${encodeURIComponent(runId)}`, { headers: { authorization: `Bearer ${key}` } });
  return answer.status() === 404 ? undefined : ((await answer.json()) as StoredRun);
}

/** Steps that the project of `key` has received, however they ended. */
export async function storedSteps(request: APIRequestContext, url: string, key: string): Promise<number> {
  const answer = await request.get(`${url}/api/ledger?limit=1000`, { headers: { authorization: `Bearer ${key}` } });
  const { items } = (await answer.json()) as { items: { stored: number }[] };
  return items.reduce((sum, { stored }) => sum + stored, 0);
}
