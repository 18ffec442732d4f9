// The package where it has to run. `SDK_RUNTIMES` names more runtimes than this one, as a path each: scripts/sdk versions.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startIngest } from './support/ingest-server.mjs';

const program = fileURLToPath(new URL('support/program.mjs', import.meta.url));
const edge = new URL('../dist/esm/index.js', import.meta.url).href;
const runtimes = [process.execPath, ...(process.env.SDK_RUNTIMES ?? '').split(':').filter(Boolean)];

async function steps(t, runtime, ...entry) {
  const ingest = await startIngest();
  t.after(() => ingest.stop());
  const before = basename(runtime) === 'deno' ? ['run', '--allow-all', '--no-lock'] : [];
  const child = spawn(runtime, [...before, program, ingest.url, ...entry], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (out += text));
  assert.equal(await new Promise((done) => child.once('close', done)), 0, out);
  assert.match(out, /"sent":4,"rejected":0,"dropped":0/);
  const taken = ingest.taken();
  const names = new Map(taken.map(({ step_id, step_name }) => [step_id, step_name]));
  return Object.fromEntries(taken.map(({ step_name, parent_step_id }) => [step_name, names.get(parent_step_id) ?? null]));
}

for (const runtime of runtimes) {
  test(`calls are recorded and nested in ${runtime === process.execPath ? 'this Node' : runtime}`, async (t) => {
    assert.deepEqual(await steps(t, runtime), { outer: null, inner: 'outer', call: 'inner', stream: 'inner' });
  });
}

test('where nothing is Node, calls are recorded, and nested until the first await', async (t) => {
  const parents = await steps(t, process.execPath, edge, 'without-node');
  assert.deepEqual(Object.keys(parents).sort(), ['call', 'inner', 'outer', 'stream']);
  assert.deepEqual([parents.inner, parents.call], ['outer', 'inner']);
});
