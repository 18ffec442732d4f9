// `import { test, expect, axe, shots, hydrated } from '../harness/test'` in every spec.

import { test as base } from '@playwright/test';

import { ingestInto, type Ingest } from './ingest';
import { watchConsole } from './page';
import { makeProject, type Project } from './project';
import { startServer, type Server } from './server';

export { expect } from '@playwright/test';
export { axe, hydrated, looksRight, noSidewaysScroll, shots } from './page';
export { makeProject, type Project } from './project';
export { startServer } from './server';

interface Options {
  /** Complaints a test provokes on purpose, e.g. the browser's own line about a 404. */
  expectedComplaints: RegExp[];
}

interface Tools {
  /** Stores steps in project `default` of the test's server. */
  ingest: Ingest;
  /** A new, empty project for this test alone. */
  project: Project;
  /** Runs for every test: fails it when the page complained. */
  quietConsole: void;
}

interface Shared {
  /** The binary under test, one per worker, with an empty database at its start. */
  server: Server;
}

export const test = base.extend<Options & Tools, Shared>({
  expectedComplaints: [[], { option: true }],

  server: [
    async ({}, use, worker) => {
      const server = await startServer(`server-${worker.project.name}-${worker.workerIndex}`);
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 90_000 },
  ],

  baseURL: async ({ server }, use) => use(server.url),

  ingest: async ({ request, server }, use) => use(ingestInto(request, server.url)),

  project: async ({ request, server }, use) => use(await makeProject(request, server.url)),

  quietConsole: [
    async ({ page, expectedComplaints, javaScriptEnabled }, use) => {
      const complaints = watchConsole(page);
      await use();
      // Without script nobody uses what the page preloads for it.
      const expectedHere = javaScriptEnabled ? expectedComplaints : [...expectedComplaints, /preloaded using link preload but not used/];
      const unexpected = complaints().filter((line) => !expectedHere.some((expected) => expected.test(line)));
      if (unexpected.length > 0) throw new Error(`the page complained:\n${unexpected.join('\n')}`);
    },
    { auto: true },
  ],
});
