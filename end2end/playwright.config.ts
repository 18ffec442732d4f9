import { existsSync } from 'node:fs';

import { defineConfig } from '@playwright/test';

// The machine's own browser: nothing is downloaded. PLUMBLINE_CHROMIUM names another one.
const chromium = [
  process.env.PLUMBLINE_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
].find((path) => path !== undefined && existsSync(path));

export default defineConfig({
  testDir: 'specs',
  globalSetup: './harness/every-page.ts',
  outputDir: 'test-results',
  // Each worker runs a server and a database of its own; on two cores, those and a browser keep one worker busy.
  // PLUMBLINE_E2E_WORKERS is for machines that have more.
  workers: Number(process.env.PLUMBLINE_E2E_WORKERS ?? 1),
  forbidOnly: true,
  // Against hangs, not against a machine that is busy: most take two seconds.
  timeout: 90_000,
  expect: { timeout: 10_000 },
  // Where a build decides about a day's work, a spec has a second attempt, and `failures.ts` says aloud that it needed one.
  // At a desk there is none.
  retries: process.env.CI === undefined ? 0 : 1,
  reporter: [['list'], ['./harness/failures.ts']],
  use: {
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    contextOptions: { reducedMotion: 'reduce' },
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: chromium,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    // The server's HTML alone: every page has to work like this.
    { name: 'no-wasm', testMatch: '**/*.spec.ts', testIgnore: '**/*.hydrate.spec.ts', use: { javaScriptEnabled: false } },
    // The same pages with the browser's half attached.
    { name: 'wasm', testMatch: '**/*.hydrate.spec.ts' },
  ],
});
