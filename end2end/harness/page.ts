// What is checked on every page: no complaint in the console, nothing for axe to find, a picture in each theme and size.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

import { artifacts } from './server';

/** Collects everything the page complains about, until the returned function is called. */
export function watchConsole(page: Page): () => string[] {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
    }
  });
  page.on('pageerror', (error) => complaints.push(`page error: ${error.message}`));
  return () => complaints;
}

/** Waits until the WASM has attached: `hydrate()` marks the document. */
export async function hydrated(page: Page): Promise<void> {
  await page.locator('html[data-hydrated]').waitFor({ state: 'attached' });
}

/** Fails with a readable list when axe finds anything. */
export async function axe(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  const readable = violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map((node) => node.target.join(' ')) }));
  expect(readable, 'axe').toEqual([]);
}

/** The page itself never scrolls sideways; tables that have to are regions of their own. */
export async function noSidewaysScroll(page: Page): Promise<void> {
  const widths = await page.evaluate(() => ({
    page: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
  }));
  expect(widths.page, `the page is ${widths.page} px wide in a window of ${widths.window}`).toBeLessThanOrEqual(widths.window);
}

const themes = ['light', 'dark'] as const;
const widths = [1440, 390] as const;

/** Stores artifacts/<name>-<theme>-<width>.png, four in all, and restores theme and size. */
export async function shots(page: Page, name: string): Promise<void> {
  mkdirSync(artifacts, { recursive: true });
  const before = page.viewportSize();
  for (const theme of themes) {
    for (const width of widths) {
      await page.emulateMedia({ colorScheme: theme });
      await page.setViewportSize({ width, height: 900 });
      await page.evaluate(async () => {
        await document.fonts.ready;
        // Two frames: one to lay out, one for canvases that draw after their size has changed.
        await new Promise<void>((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())));
      });
      await page.screenshot({ path: join(artifacts, `${name}-${theme}-${width}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  if (before !== null) await page.setViewportSize(before);
}
