import { expect, noSidewaysScroll, test } from '../harness/test';
import { month, ship } from '../harness/trends';

test('the overview leads to the page of a model, that to its step, and that to its key, without a script', async ({ page, project, server, request }) => {
  const now = Date.now();
  await project.ingest(...month(now));
  await ship(request, server.url, project, now);
  await page.goto(project.at(''));
  await page.getByRole('region', { name: 'Movers as a table' }).getByRole('link', { name: 'made-up-large' }).click();
  await expect(page).toHaveURL(new RegExp(`${project.at('models/made-up-large')}`));
  await expect(page.getByRole('heading', { level: 1, name: 'made-up-large' })).toBeVisible();
  await noSidewaysScroll(page);

  await page.getByRole('region', { name: 'Steps and keys' }).getByRole('link', { name: 'summarize-page' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'summarize-page' })).toBeVisible();
  // What raised its cost is named, and measured on its own calls.
  const head = page.getByRole('region', { name: 'In short' });
  await expect(head.getByRole('heading')).toContainText(/After PR 2 cost per call of summarize-page rose ×2\.[56]/);
  await expect(head).toContainText('made-up-large went from 0 % to 100 % of its calls');
  const measures = page.getByRole('region', { name: 'Measures' });
  await expect(measures.getByRole('row', { name: /Cost per call/ })).toBeVisible();
  await expect(page.getByRole('region', { name: /^Before and after the latest deploy/ })).toContainText('PR 3');
  // Six charts on one axis, the last with the deploys.
  await expect(page.locator('#health .ch-marks')).toHaveCount(6);
  await expect(page.locator('#health a.ch-marker')).toHaveAttribute('aria-label', /PR 1.*PR 2.*PR 3/);
  await expect(page.locator('#health .ch-usual').first()).toBeAttached();
  await noSidewaysScroll(page);

  await page.getByRole('region', { name: /^Models/ }).getByRole('link', { name: 'e2e', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'e2e' })).toBeVisible();
  await expect(page).toHaveURL(new RegExp(project.at('keys/e2e')));
  await noSidewaysScroll(page);
});

test('its figures are those of the table, of the file and of the overview', async ({ page, project, request }) => {
  const now = Date.now();
  await project.ingest(...month(now), ...month(now).map((step, index) => ({ ...step, run_id: `other-${index}`, step_name: 'tag-document' })));
  await page.goto(project.at('steps/tag-document?view=table'));
  const calls = async () => Number((await page.locator('dl.facts div', { hasText: /^Calls/ }).locator('dd').innerText()).split(' ')[0]?.replace(/,/g, ''));
  const counted = await calls();
  const table = page.getByRole('region', { name: 'Health as a table' });
  const column = (await table.locator('thead th').allInnerTexts()).indexOf('Calls') + 1;
  const cells = await table.locator(`tbody tr > :nth-child(${column})`).allInnerTexts();
  expect(cells.filter((text) => text !== '–').reduce((sum, text) => sum + Number(text.replace(/,/g, '')), 0)).toBe(counted);
  const file = await page.locator('a[aria-label="Calls as CSV"]').getAttribute('href');
  const csv = await (await request.get(file ?? '')).text();
  expect(csv.trim().split('\r\n').slice(1).reduce((sum, line) => sum + Number(line.split(',').pop()), 0)).toBe(counted);
  await page.goto(project.at('?metric=calls&step=tag-document'));
  await expect(page.getByRole('tab', { name: /^Calls/ }).locator('.kpi-value')).toHaveText(String(counted));
});

test('names that are addresses of their own are found, and what was never called says so', async ({ page, project }) => {
  const name = 'parse / request? 50 % & "more" #1';
  await project.ingest({ step_name: name, model: 'openai/gpt-4o:beta', cost: 0.01 });
  await page.goto(project.at(`steps/${encodeURIComponent(name)}?range=1h`));
  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
  await expect(page.getByRole('region', { name: 'In short' })).toContainText('$0.0100');
  await page.getByRole('link', { name: 'openai/gpt-4o:beta' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'openai/gpt-4o:beta' })).toBeVisible();
  await page.goto(project.at('steps/nobody?range=24h'));
  await expect(page.getByText('No call of step nobody in these 24 hours')).toBeVisible();
  await page.getByRole('link', { name: 'Show 90 days' }).click();
  await expect(page).toHaveURL(/range=90d/);
});

test('a run, a prompt and a filter lead there too', async ({ page, project }) => {
  const prompt = JSON.stringify({ system: 'Answer in JSON with the keys intent and order.', messages: [{ role: 'user', content: 'Where is it?' }] });
  await project.ingest({ run_id: 'r-1', step_id: 's-1', step_name: 'parse-request', prompt, cost: 0.01 });
  await page.goto(project.at('runs/r-1?step=s-1'));
  await page.getByRole('link', { name: 'All steps of this name' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'parse-request' })).toBeVisible();
  await page.getByRole('region', { name: 'Templates', exact: true }).getByRole('link').first().click();
  await expect(page.getByRole('heading', { name: 'parse-request uses this prompt' })).toBeVisible();
  // The prompt's history, from the same parts.
  await expect(page.getByRole('heading', { name: 'Health' })).toBeVisible();
  await page.getByRole('table').filter({ hasText: 'Compare' }).getByRole('link', { name: 'parse-request' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'parse-request' })).toBeVisible();
});
