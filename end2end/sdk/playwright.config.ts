import { defineConfig } from '@playwright/test';

// As for `clients`: Playwright's runner without a browser.
export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  workers: 1,
  forbidOnly: true,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: [['list']],
});
