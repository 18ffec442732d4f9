import { defineConfig } from '@playwright/test';

// No browser here: Playwright's runner, because the binary under test is started as for the browser tests.
export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  workers: 1,
  forbidOnly: true,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  // As for the browser tests.
  retries: process.env.CI === undefined ? 0 : 1,
  reporter: [['list'], ['../harness/failures.ts']],
});
