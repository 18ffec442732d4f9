import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { repository } from '../harness/server';
import { expect, test } from '../harness/test';

// scripts/engine_in_browser makes these; scripts/e2e calls it.
const folder = join(repository, 'target/engine-in-browser');

test('the engine says the same in a browser as on the server, byte for byte', async ({ page }) => {
  const types: Record<string, string> = { js: 'text/javascript', wasm: 'application/wasm' };
  await page.route('http://engine.test/**', async (route) => {
    const name = new URL(route.request().url()).pathname.slice(1);
    if (name === '') return route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>engine</title>' });
    const kind = name.split('.').pop() ?? '';
    if (!(kind in types)) return route.fulfill({ status: 204 });
    return route.fulfill({ contentType: types[kind], body: readFileSync(join(folder, name)) });
  });
  await page.goto('http://engine.test/');
  const here = await page.evaluate(async () => {
    const script = 'http://engine.test/plumbline.js';
    const engine = await import(script);
    await engine.default({ module_or_path: 'http://engine.test/plumbline_bg.wasm' });
    return engine.score_corpus() as string;
  });

  const native = readFileSync(join(folder, 'native.json'), 'utf8').trim();
  const rows = (text: string) => JSON.parse(text) as { name: string; score: { conditions: unknown[] } }[];
  // Row by row first: a difference is shown as that row and not as a wall of text.
  const expected = new Map(rows(native).map((row) => [row.name, row]));
  for (const row of rows(here)) expect(row, row.name).toEqual(expected.get(row.name));
  expect(expected.size).toBeGreaterThanOrEqual(190);
  expect([...expected.values()].filter((row) => row.score.conditions.length > 0).length).toBeGreaterThan(100);
  expect(here === native, 'byte for byte').toBe(true);
});
