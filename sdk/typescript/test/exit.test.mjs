// What a process leaves behind when it ends, in ways that only a process can.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';

import { startIngest } from './support/ingest-server.mjs';

/** Runs a program that records two steps; says how it ended, what it complained of and how long it took after its last line. */
async function run(url, ending, type = 'module') {
  const load = type === 'module' ? "import { Tracer } from '@plumbline/sdk';" : "const { Tracer } = require('@plumbline/sdk');";
  const program = `${load}
    const tracer = new Tracer({ apiUrl: '${url}', flushIntervalMs: 60_000 });
    for (const step_name of ['a', 'b']) tracer.ingest({ step_name, model: 'm', prompt: 'p', latency_ms: 1 });
    ${ending}
    console.log('done');`;
  const child = spawn(process.execPath, [`--input-type=${type}`, '-e', program], { cwd: new URL('.', import.meta.url) });
  let complaints = '';
  let done;
  child.stderr.on('data', (text) => (complaints += text));
  child.stdout.once('data', () => (done = performance.now()));
  const code = await new Promise((ended) => child.once('close', ended));
  return { code, complaints, took: performance.now() - done };
}

test('a process that just ends has sent everything', async (t) => {
  const ingest = await startIngest();
  t.after(() => ingest.stop());
  const { code, complaints } = await run(ingest.url, '');
  assert.deepEqual([code, complaints], [0, '']);
  assert.deepEqual(ingest.taken().map(({ step_name }) => step_name), ['a', 'b']);
});

test('so does one that loads CommonJS', async (t) => {
  const ingest = await startIngest();
  t.after(() => ingest.stop());
  const { code, complaints } = await run(ingest.url, '', 'commonjs');
  assert.deepEqual([code, complaints], [0, '']);
  assert.equal(ingest.taken().length, 2);
});

test('an unreachable server holds up the end for two seconds and no longer, and the loss is said', async () => {
  const { code, complaints, took } = await run('http://127.0.0.1:1', '');
  assert.equal(code, 0);
  assert.ok(took > 1_500 && took < 3_500, `${took} ms`);
  assert.match(complaints, /was not reached/);
  assert.match(complaints, /2 steps were not sent before the process ended/);
});

test('so does one that accepts a connection and then says nothing', async (t) => {
  const ingest = await startIngest(() => 'hang');
  t.after(() => ingest.stop());
  const { code, complaints, took } = await run(ingest.url, '');
  assert.equal(code, 0);
  assert.ok(took > 1_500 && took < 3_500, `${took} ms`);
  assert.match(complaints, /2 steps were not sent before the process ended/);
});

test('shutdown() before process.exit() loses nothing', async (t) => {
  const ingest = await startIngest();
  t.after(() => ingest.stop());
  const { complaints } = await run(ingest.url, 'await tracer.shutdown(); process.exit(0);'.replace('process.exit(0);', "console.log('done'); process.exit(0);"));
  assert.equal(complaints, '');
  assert.equal(ingest.taken().length, 2);
});

test('nothing but our timers keeps no process alive', async (t) => {
  const ingest = await startIngest();
  t.after(() => ingest.stop());
  const { took } = await run(ingest.url, '');
  assert.ok(took < 1_000, `${took} ms, although steps wait for a minute`);
});
