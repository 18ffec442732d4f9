import { defineConfig } from '@playwright/test';

// As for `clients`: Playwright's runner without a browser.
export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  // Half of the time they wait for what is slow on purpose. Each worker has a server and a provider of its own.
  workers: 2,
  fullyParallel: true,
  forbidOnly: true,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  // As for the browser tests.
  retries: process.env.CI === undefined ? 0 : 1,
  reporter: [['list'], ['../harness/failures.ts']],
});
