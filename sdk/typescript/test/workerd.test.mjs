// The package in Cloudflare's runtime, as a Worker has it, bundled as Cloudflare's own tool does. `SDK_WORKERD` names the
// folder with both programs: scripts/sdk versions.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startIngest } from './support/ingest-server.mjs';

const programs = process.env.SDK_WORKERD;
const support = fileURLToPath(new URL('support', import.meta.url));

/** A Worker that sends to `url`; gives its own address. */
async function startWorker(t, program, { url, flags = [], variables = {} }) {
  // Below this folder, where its imports are found.
  const folder = mkdtempSync(join(support, 'worker-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'worker.mjs'), program.replace('https://plumbline.example.com', url));
  const bundle = ['--bundle', '--format=esm', '--conditions=workerd,worker,browser', '--external:node:*', '--log-level=warning'];
  execFileSync(join(programs, 'esbuild'), ['worker.mjs', ...bundle, '--outfile=bundle.js'], { cwd: folder });
  const bindings = Object.entries(variables).map(([name, text]) => `(name = "${name}", text = "${text}")`);
  writeFileSync(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["private", "public", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "bundle.js")],
  bindings = [${bindings.join(', ')}],
  compatibilityDate = "2026-10-01",
  compatibilityFlags = [${flags.map((flag) => `"${flag}"`).join(', ')}],
);
`,
  );
  const child = spawn(join(programs, 'workerd'), ['serve', '--control-fd=3', 'config.capnp'], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  // A line for each socket that is listened on.
  const port = await new Promise((done, failed) => {
    child.once('exit', (code) => failed(new Error(`workerd ended with ${code}`)));
    child.stdio[3].on('data', (text) => {
      const said = String(text).split('\n').filter(Boolean).map((line) => JSON.parse(line));
      const listening = said.find(({ event }) => event === 'listen');
      if (listening !== undefined) done(listening.port);
    });
  });
  return `http://127.0.0.1:${port}`;
}

async function ask(address, path = '') {
  const answer = await fetch(`${address}/${path}`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

/** The steps as soon as there are so many. */
async function arrived(ingest, count) {
  while (ingest.taken().length < count) await ingest.next();
  return ingest.taken();
}

const options = { skip: programs === undefined && 'SDK_WORKERD is not set', timeout: 60_000 };
const made = readFileSync(join(support, 'worker.mjs'), 'utf8');

test('in a Worker with AsyncLocalStorage calls are recorded and nested, each request in a run of its own', options, async (t) => {
  const ingest = await startIngest();
  t.after(() => ingest.stop());
  const address = await startWorker(t, made, { url: ingest.url });
  await Promise.all([ask(address, 'one'), ask(address, 'two'), ask(address, 'three')]);
  const steps = await arrived(ingest, 12);
  assert.equal(new Set(steps.map(({ step_id }) => step_id)).size, 12);
  const runs = [...new Set(steps.map(({ run_id }) => run_id))].map((id) => steps.filter(({ run_id }) => run_id === id));
  assert.equal(runs.length, 3);
  for (const run of runs) {
    const names = new Map(run.map(({ step_id, step_name }) => [step_id, step_name]));
    const parents = Object.fromEntries(run.map(({ step_name, parent_step_id }) => [step_name, names.get(parent_step_id) ?? null]));
    assert.deepEqual(parents, { outer: null, inner: 'outer', call: 'inner', stream: 'inner' });
  }
});

test('in a Worker without it calls are recorded', options, async (t) => {
  const ingest = await startIngest();
  t.after(() => ingest.stop());
  const address = await startWorker(t, made, { url: ingest.url, flags: ['no_nodejs_compat'] });
  await ask(address);
  assert.deepEqual((await arrived(ingest, 4)).map(({ step_name }) => step_name).sort(), ['call', 'inner', 'outer', 'stream']);
});

test('what a request of a Worker could not send, a later one sends', options, async (t) => {
  let isStuck = true;
  const ingest = await startIngest(() => (isStuck ? 'hang' : undefined));
  t.after(() => ingest.stop());
  const address = await startWorker(t, made, { url: ingest.url });
  // Its request is over when it gives up, and with it everything that it has begun.
  await ask(address, 'short?patience=100');
  while (ingest.requests.length === 0) await new Promise((done) => setImmediate(done));
  isStuck = false;
  let stats = await ask(address, 'later?patience=2000&waits=true');
  while (stats.sent < 8) stats = await ask(address, 'later?patience=2000&waits=true');
  const steps = ingest.taken();
  assert.equal(steps.filter(({ run_id }) => run_id === steps[0].run_id).length, 4);
  assert.equal(stats.dropped + stats.rejected, 0);
});

test('the Worker of docs/sdk.md records the official client', options, async (t) => {
  const documented = readFileSync(new URL('../../../docs/sdk.md', import.meta.url), 'utf8');
  const [, program] = /^```js\n([^]*?)^```/m.exec(documented);
  const ingest = await startIngest();
  t.after(() => ingest.stop());
  const usage = { input_tokens: 31, output_tokens: 17 };
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-haiku-4-5', content: [{ type: 'text', text: 'A weight.' }], usage };
  const provider = createServer((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(message)));
  await new Promise((done) => provider.listen(0, '127.0.0.1', done));
  t.after(() => provider.close());
  const variables = { ANTHROPIC_API_KEY: 'sk-ant-their-own', ANTHROPIC_BASE_URL: `http://127.0.0.1:${provider.address().port}` };
  const address = await startWorker(t, program, { url: ingest.url, variables });
  const answer = await fetch(address, { method: 'POST', body: 'What is a plumb line?' });
  assert.equal(await answer.text(), 'A weight.');
  const [step] = await arrived(ingest, 1);
  assert.deepEqual([step.model, step.output_code, step.kind], ['claude-haiku-4-5', 'A weight.', 'llm']);
  assert.deepEqual(step.usage, usage);
  assert.match(step.prompt, /What is a plumb line/);
});
