import type { Page } from '@playwright/test';

import { demo, demoSteps } from '../harness/demo';
import { expect, hydrated, noSidewaysScroll, test, type Project } from '../harness/test';

test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

const row = (page: Page, name: RegExp) => page.getByRole('treeitem', { name }).first();

const open = async (page: Page, project: Project) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.cascade}`));
  await hydrated(page);
  await expect(page.locator('.wf[data-drawn]')).toBeVisible();
};

test('on a phone each row says its name, how it went, how long it took and what it cost, and nothing is cut off', async ({ page, project }) => {
  await open(page, project);
  await noSidewaysScroll(page);
  const failed = row(page, /generate-response/);
  await expect(failed.locator('.wf-dur')).toHaveText(/critical\s*721 ms/);
  await expect(row(page, /parse-request/).locator('.wf-cost')).toHaveText(/^\$0\.\d{4}$/);
  for (const shown of [failed, row(page, /parse-request/)]) {
    const box = (await shown.boundingBox())!;
    for (const part of ['.nm', '.wf-dur', '.wf-cost']) {
      const found = shown.locator(part);
      if ((await found.textContent()) === '') continue;
      await expect(found).toBeVisible();
      const at = (await found.boundingBox())!;
      expect(at.y, part).toBeGreaterThanOrEqual(box.y - 1);
      expect(at.y + at.height, part).toBeLessThanOrEqual(box.y + box.height + 1);
      expect(at.x + at.width, part).toBeLessThanOrEqual(box.x + box.width);
      expect(await found.evaluate((element) => element.scrollWidth <= element.clientWidth || element.clientWidth === 0), part).toBe(true);
    }
    // The name stands above the figures.
    const [name, figures] = [(await shown.locator('.nm').boundingBox())!, (await shown.locator('.wf-dur').boundingBox())!];
    expect(name.y + name.height / 2).toBeLessThan(figures.y + figures.height / 2);
  }
});

test('fingers tap, pinch and drag the drawing, and the page stays where it is', async ({ page, project }) => {
  await open(page, project);
  const cdp = await page.context().newCDPSession(page);
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', ...touchPoints: { x: number; y: number; id: number }[]) =>
    cdp.send('Input.dispatchTouchEvent', { type, touchPoints });
  await row(page, /embed-question/).scrollIntoViewIfNeeded();
  const canvas = (await page.locator('canvas.wf-live').boundingBox())!;
  const middle = canvas.x + canvas.width / 2;
  const line = async (name: RegExp) => {
    const box = (await row(page, name).boundingBox())!;
    return box.y + box.height / 2;
  };

  await page.touchscreen.tap(middle, await line(/embed-question/));
  await expect(page).toHaveURL(/step=embed-question/);

  // Two fingers on another row: it is not selected when they are lifted.
  const y = await line(/gather-context/);
  await touch('touchStart', { x: middle - 15, y, id: 0 }, { x: middle + 15, y, id: 1 });
  for (const apart of [25, 35, 45, 55]) await touch('touchMove', { x: middle - apart, y, id: 0 }, { x: middle + apart, y, id: 1 });
  await touch('touchEnd');
  await expect(page).toHaveURL(/zoom=-?\d+to\d+/);
  await expect(page).toHaveURL(/step=embed-question/);

  const zoomed = page.url();
  const scrolled = await page.evaluate(() => window.scrollY);
  await touch('touchStart', { x: middle + 40, y, id: 0 });
  for (const moved of [20, 0, -20, -40]) await touch('touchMove', { x: middle + moved, y, id: 0 });
  await touch('touchEnd');
  await expect.poll(() => page.url()).not.toBe(zoomed);
  await expect(page).toHaveURL(/step=embed-question/);
  expect(await page.evaluate(() => window.scrollY)).toBe(scrolled);
});
