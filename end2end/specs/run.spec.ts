import { demo, demoSteps } from '../harness/demo';
import { expect, test } from '../harness/test';

test('without script the run shows its tree, and links open a step, fold and switch the texts', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.cascade}`));
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('generate-response failed: TypeError');
  // Thirty steps, of which eight ask the same and are one line.
  await expect(page.getByRole('treeitem')).toHaveCount(23);

  await page.getByRole('treeitem', { name: /parse-request/ }).getByRole('link', { name: 'parse-request' }).click();
  const panel = page.getByRole('complementary', { name: 'Selected step' });
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('parse-request');
  await expect(panel).toContainText('JSON was asked for and the answer does not parse');
  await expect(panel.getByRole('region', { name: 'Output' })).toContainText('"intent": "refund"');
  await panel.getByRole('region', { name: 'Input' }).getByRole('link', { name: 'Raw' }).click();
  await expect(panel.getByRole('region', { name: 'Input' })).toContainText('[{"role":"system"');

  await page.getByRole('link', { name: 'Fold or unfold gather-context' }).click();
  await expect(page.getByRole('treeitem', { name: /search-kb/ })).toHaveCount(0);
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('parse-request');
});

test('a failed call is shown against the last good one of its name, and among those before it', async ({ page, project }) => {
  const at = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
  const call = (run: string, minutes: number, output: string) => ({
    run_id: run,
    step_id: 'parse',
    step_name: 'parse-order',
    prompt: 'Answer as JSON: which order is it?',
    output_code: output,
    output_tokens: 10,
    started_at: at(minutes),
  });
  const good = Array.from({ length: 25 }, (_, nth) => call(`good-${nth}`, 40 - nth, '{"intent": "policy", "count": 1}'));
  await project.ingest(...good, { ...call('bad', 5, '{"count": 1, "intent": "refund"}'), status_success: false, error: 'no such order' });
  await page.goto(project.at('runs/bad?step=parse'));
  const changed = page.getByRole('region', { name: 'Changed since the last good call' });
  await expect(changed).toContainText('1 value changed, 1 the same');
  await expect(changed.locator('[data-change="removed"]')).toHaveText(/"intent": "policy"/);
  await expect(changed.locator('[data-change="added"] mark').first()).toContainText('refund');
  const before = page.getByRole('region', { name: 'This step before' });
  await expect(before).toContainText('last 26 calls, 0 of those before failed or critical');
  await expect(before.getByRole('img', { name: /^Latency: 420 ms, usually 380 ms to 464 ms$/ })).toBeVisible();
  await expect(before.getByRole('link', { name: 'This step over time' })).toHaveAttribute('href', project.at('steps/parse-order'));

  await changed.getByRole('link', { name: 'Input' }).click();
  await expect(page).toHaveURL(/diff=in/);
  await expect(changed).toContainText('The input is the same');
  await changed.getByRole('link', { name: /the call of/ }).click();
  await expect(page).toHaveURL(/runs\/good-24\?step=parse/);

  await page.goto(project.at('runs/good-0?step=parse'));
  await expect(changed).toContainText('No earlier good call in 30 days');
});

test('an image of two megabytes in a prompt is a chip with its type and size, and the words around it are read', async ({ page, project }) => {
  const url = `data:image/png;base64,${'QUi9'.repeat(512 * 1024)}`;
  const content = [{ type: 'text', text: 'What is on it?' }, { type: 'image_url', image_url: { url } }];
  await project.ingest({ run_id: 'seen', step_id: 'look', prompt: JSON.stringify([{ role: 'user', content }]) });
  await page.goto(project.at('runs/seen?step=look'));
  const input = page.getByRole('region', { name: 'Input' });
  await expect(input).toContainText('What is on it?');
  await expect(input.locator('.badge')).toHaveText('image/png, 1.5 MB');
  await expect(input.getByRole('link', { name: 'Download all of it' })).toHaveAttribute('href', /payload\?project=[^&]+&text=input$/);
});

test('JSON folds branch by branch', async ({ page, project }) => {
  const output = JSON.stringify({ order: { id: 'A-1042', items: [{ sku: 'KB-88', size: { wide: 1 } }] }, many: Array.from({ length: 30 }, (_, n) => n) });
  await project.ingest({ run_id: 'tree', step_id: 's', output_code: output });
  await page.goto(project.at('runs/tree?step=s'));
  const region = page.getByRole('region', { name: 'Output' });
  await region.getByRole('link', { name: 'Tree' }).click();
  await expect(page).toHaveURL(/out=tree/);
  const tree = region.getByRole('group', { name: 'Output of answer' });
  await expect(tree.getByText('"A-1042"')).toBeVisible();
  // Long lists and what lies deep begin folded.
  await expect(tree.getByText('wide')).toBeHidden();
  await expect(tree.locator('summary', { hasText: '30 items' })).toBeVisible();
  await expect(tree.getByText('29', { exact: true }).first()).toBeHidden();
});

test('an answer is read as Markdown or as calls of tools, and leads nowhere', async ({ page, project }) => {
  const call = { role: 'assistant', content: null, tool_calls: [{ function: { name: 'find_order', arguments: '{"id":"A-1042"}' } }] };
  await project.ingest(
    { run_id: 'told', step_id: 'words', output_code: '# Steps\n\n- **check** the `order`\n\n[more](https://evil.example) <b>raw</b> ![x](https://evil.example/x.png)' },
    { run_id: 'told', step_id: 'calls', output_code: JSON.stringify(call) },
  );
  await page.goto(project.at('runs/told?step=words'));
  const output = page.getByRole('region', { name: 'Output' });
  await expect(output).toContainText('**check**');
  await output.getByRole('link', { name: 'Markdown' }).click();
  await expect(page).toHaveURL(/out=md/);
  await expect(output.locator('.md strong')).toHaveText('check');
  await expect(output.locator('.md')).toContainText('<b>raw</b>');
  await expect(output.locator('.md').locator('a, img, b')).toHaveCount(0);

  await page.goto(project.at('runs/told?step=calls'));
  await output.getByRole('link', { name: 'Chat' }).click();
  await expect(output).toContainText(/calls\s*find_order/);
});

test('the release of a run leads to its deploy, and what happened in a step lies on a line', async ({ page, project, request, server }) => {
  const sha = '9be04a7c1f0d2e3b4a5968778695a4b3c2d1e0f9';
  const deploy = await request.post(`${server.url}/api/deploys`, {
    headers: { authorization: `Bearer ${project.key}` },
    data: { sha, status: 'success', pr_number: 3 },
  });
  expect(deploy.status(), await deploy.text()).toBe(200);
  const began = Date.now() - 60_000;
  const events = [
    { name: 'looked up', at: new Date(began + 105).toISOString() },
    { name: 'decided', at: new Date(began + 315).toISOString() },
  ];
  await project.ingest({ run_id: 'shipped', step_id: 's', release: sha.slice(0, 10), started_at: new Date(began).toISOString(), events });
  await page.goto(project.at('runs/shipped?step=s'));
  const panel = page.getByRole('region', { name: 'Events' });
  await expect(panel.getByRole('img', { name: 'Events over 420 ms' }).locator('circle')).toHaveCount(2);
  await expect(panel.locator('circle').first()).toHaveAttribute('cx', '25.00%');
  await page.getByRole('region', { name: 'Result' }).getByRole('link', { name: 'PR 3' }).click();
  await expect(page).toHaveURL(/\/deploys\/.+/);
  await expect(page.getByRole('heading', { level: 1 })).toContainText('PR 3');
});

test('steps whose parent never came stand under a heading that says so', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.running}`));
  await expect(page.getByRole('treeitem')).toHaveText([/Parent not received\s*3 steps/, /plan/, /orders\.fetch/, /decide-next/]);
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('Running, 3 steps so far');
});

test('a cost nobody knows is unknown, never zero', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.unknownCost}?step=write-digest`));
  const result = page.getByRole('region', { name: 'Result' });
  await expect(result).toContainText(/Cost\s*\$0\.\d{4} \+ unknown/);
  await expect(result).toContainText('The cost of 1 step is unknown');
  await expect(page.getByRole('complementary', { name: 'Selected step' })).toContainText('cost unknown');
  await page.goto(project.at('runs'));
  await expect(page.locator(`tr[data-run="${demo.unknownCost}"]`).getByText('unknown', { exact: true })).toBeVisible();
});

test.describe('an unknown run', () => {
  test.use({ expectedComplaints: [/status of 404/] });

  test('is a 404 that says what may have happened', async ({ page, project }) => {
    const answer = await page.goto(project.at('runs/never-heard-of'));
    expect(answer?.status()).toBe(404);
    await expect(page.getByText('There is no run with this id')).toBeVisible();
    await expect(page.getByText('never-heard-of')).toBeVisible();
    await page.getByRole('main').getByRole('link', { name: 'All runs' }).click();
    await expect(page).toHaveURL(project.at('runs'));
  });
});
