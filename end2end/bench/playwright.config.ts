import { defineConfig } from '@playwright/test';

// No tests: Playwright's runner, because the binary is started as for the browser tests.
export default defineConfig({
  testDir: '.',
  testMatch: ['lighthouse.ts', 'timeline.ts', 'charts.ts'],
  outputDir: '../test-results',
  workers: 1,
  forbidOnly: true,
  timeout: 900_000,
  reporter: [['list']],
});
