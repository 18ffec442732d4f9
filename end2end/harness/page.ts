// What is checked on every page: no complaint in the console, nothing for axe to find, no scrolling sideways.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';

import { artifacts } from './server';
import { recordVisits } from './visits';

/** Collects everything the page complains about, until the returned function is called; records which pages it visits. */
export function watchConsole(page: Page): () => string[] {
  const complaints: string[] = [];
  recordVisits(page);
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
  await analyse(axeOf(page).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']));
}

/** Fails when axe finds too little contrast: all that another theme can break. */
export async function contrast(page: Page): Promise<void> {
  await analyse(axeOf(page).withRules('color-contrast'));
}

/** axe in both themes and on a phone, where nothing may scroll sideways, and pictures when they are asked for. */
export async function looksRight(page: Page, name: string): Promise<void> {
  await page.emulateMedia({ colorScheme: 'dark' });
  await contrast(page);
  await page.emulateMedia({ colorScheme: 'light' });
  await axe(page);
  const before = page.viewportSize();
  await page.setViewportSize({ width: 390, height: 900 });
  await noSidewaysScroll(page);
  await axe(page);
  await page.emulateMedia({ colorScheme: null });
  if (before !== null) await page.setViewportSize(before);
  await shots(page, name);
}

// What passed is told by axe with a selector for each element, which takes longer than the rules themselves. Style sheets
// of other origins, which it would load, there are none.
function axeOf(page: Page): AxeBuilder {
  return new AxeBuilder({ page }).options({ resultTypes: ['violations'], preload: false });
}

async function analyse(builder: AxeBuilder): Promise<void> {
  const { violations } = await builder.analyze();
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

/** With PLUMBLINE_SHOTS=1 stores artifacts/<name>-<theme>-<width>.png, four in all, and restores theme and size. */
export async function shots(page: Page, name: string): Promise<void> {
  if (process.env.PLUMBLINE_SHOTS !== '1') return;
  // Four full pages take longer than most tests.
  test.setTimeout(test.info().timeout + 60_000);
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
