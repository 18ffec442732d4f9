import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { expect, hydrated, test } from '../harness/test';

const MEGABYTE = 1024 * 1024;

const hash = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

test('a step with 20 MB of output leaves the page quick, says its end, is searched and comes whole as a file', async ({ page, project }) => {
  test.setTimeout(90_000);
  const half = 'Zeile für Zeile, ohne Ende. '.repeat((10 * MEGABYTE) / 28);
  const output = `${half}the NEEDLE in the hay ${half}and that was all`;
  await project.ingest(
    { run_id: 'big', step_id: 'long', step_name: 'write-book', output_code: output, started_at: new Date(Date.now() - 2_000).toISOString() },
    { run_id: 'big', step_id: 'short', step_name: 'say-hello', started_at: new Date(Date.now() - 1_000).toISOString() },
  );
  await page.goto(project.at('runs/big?step=short'));
  await hydrated(page);
  const panel = page.getByRole('complementary', { name: 'Selected step' });
  const region = panel.getByRole('region', { name: 'Output' });
  await expect(region).toContainText('A weight on a string.');

  // Whoever clicks somewhere else while it comes is answered at once, and again when it is there.
  await page.getByRole('treeitem', { name: /write-book/ }).click();
  await page.getByRole('treeitem', { name: /say-hello/ }).click();
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('say-hello', { timeout: 1_000 });
  await page.getByRole('treeitem', { name: /write-book/ }).click();
  await expect(region).toContainText(/The first 64\.0 KB of 2\d\.\d MB/);
  await expect(region.getByRole('group', { name: 'End of the output' })).toContainText(/and that was all$/);
  await page.getByRole('treeitem', { name: /say-hello/ }).click();
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('say-hello', { timeout: 1_000 });
  await page.getByRole('treeitem', { name: /write-book/ }).click();
  await expect(region.getByRole('link', { name: 'Download all of it' })).toBeVisible();

  const arrives = page.waitForEvent('download');
  await region.getByRole('link', { name: 'Download all of it' }).click();
  const file = await arrives;
  expect(file.suggestedFilename()).toBe('output.txt');
  expect(hash(readFileSync(await file.path()))).toBe(hash(output));

  const find = panel.getByRole('region', { name: 'Find in the texts' });
  await find.getByRole('searchbox').fill('needle');
  await find.getByRole('button', { name: 'Find' }).click();
  await expect(page).toHaveURL(/find=needle/);
  await expect(find).toContainText('1 found');
  await expect(find).toContainText(`output, byte ${Buffer.byteLength(half + 'the ').toLocaleString('en')}`);
  await expect(find.locator('mark')).toHaveText('NEEDLE');
});
