// What happens between a recorded step and the server, when all is well and when it is not.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';

import { Tracer } from '@plumbline/sdk';

import { setUp, startIngest, step } from './support/ingest-server.mjs';

test('steps go out together, with the key, and are counted', async (t) => {
  const { ingest, tracer } = await setUp(t);
  for (let n = 0; n < 3; n += 1) await tracer.ingest(step({ step_name: `s${n}` }));
  assert.equal(await tracer.flush(), true);
  assert.equal(ingest.requests.length, 1);
  const [{ url, authorization, steps }] = ingest.requests;
  assert.deepEqual([url, authorization], ['/ingest/batch', 'Bearer pl_live_test']);
  assert.deepEqual(steps.map(({ step_name }) => step_name), ['s0', 's1', 's2']);
  assert.equal(new Set(steps.map(({ step_id }) => step_id)).size, 3);
  assert.ok(steps.every(({ run_id }) => run_id === tracer.runId));
  assert.deepEqual(tracer.stats, { queued: 0, sent: 3, rejected: 0, dropped: 0 });
});

test('a step waits no longer than the interval', async (t) => {
  const sent = Promise.withResolvers?.() ?? withResolvers();
  const { tracer } = await setUp(t, { flushIntervalMs: 5, answer: () => void sent.resolve() });
  await tracer.ingest(step());
  await sent.promise;
});

test('many steps are several requests', async (t) => {
  const { ingest, tracer } = await setUp(t);
  for (let n = 0; n < 1_200; n += 1) await tracer.ingest(step());
  await tracer.flush();
  assert.deepEqual(ingest.requests.map(({ steps }) => steps.length), [500, 500, 200]);
});

test('what fails for a while is sent again with the same ids, after as long as the server asks', async (t) => {
  const unavailable = { status: 503, body: { error: { message: 'the queue is full' } }, headers: { 'retry-after': '0.2' } };
  const { ingest, tracer, warnings } = await setUp(t, { flushIntervalMs: 1, answer: (_, n) => (n < 3 ? unavailable : undefined) });
  await tracer.ingest(step());
  while (tracer.stats.sent === 0) await new Promise((done) => setTimeout(done, 10));
  const [first, second, third] = ingest.requests;
  assert.equal(ingest.requests.length, 3);
  assert.deepEqual(second.steps, first.steps);
  assert.deepEqual(third.steps, first.steps);
  assert.ok(second.at - first.at >= 199, `${second.at - first.at} ms`);
  assert.equal(warnings.length, 1, 'said once');
  assert.match(warnings[0], /answered 503: the queue is full/);
});

test('a server that comes back gets everything that waited', async (t) => {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => probe.once('listening', done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  const tracer = new Tracer({ apiUrl: `http://127.0.0.1:${port}`, onWarning: () => {} });
  for (let n = 0; n < 50; n += 1) await tracer.ingest(step({ step_index: n }));
  assert.equal(await tracer.flush({ timeoutMs: 100 }), false, 'nobody is there');
  assert.equal(tracer.stats.queued, 50);

  const ingest = await startIngest();
  const { createServer: http } = await import('node:http');
  const back = http((request, response) => {
    // Passed on, so that the port is the one that was away.
    void fetch(`${ingest.url}${request.url}`, { method: 'POST', body: request, duplex: 'half' })
      .then(async (answer) => response.writeHead(answer.status).end(await answer.text()));
  }).listen(port, '127.0.0.1');
  t.after(async () => {
    await tracer.shutdown({ timeoutMs: 0 });
    back.closeAllConnections();
    back.close();
    await ingest.stop();
  });
  assert.equal(await tracer.flush({ timeoutMs: 5_000 }), true);
  assert.deepEqual(ingest.taken().map(({ step_index }) => step_index), Array.from({ length: 50 }, (_, n) => n));
  assert.equal(tracer.stats.dropped, 0);
});

test('a full queue drops what comes, counts it and says so once', async (t) => {
  const { ingest, tracer, warnings } = await setUp(t, { maxQueueSteps: 10, flushIntervalMs: 60_000 });
  for (let n = 0; n < 25; n += 1) await tracer.ingest(step({ step_index: n }));
  assert.equal(tracer.stats.dropped, 15);
  assert.deepEqual(warnings.length, 1);
  assert.match(warnings[0], /dropped: the queue is full/);
  await tracer.flush();
  assert.deepEqual(ingest.taken().map(({ step_index }) => step_index), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('bytes are bounded as well as steps', async (t) => {
  const { tracer } = await setUp(t, { maxQueueBytes: 10_000, flushIntervalMs: 60_000 });
  for (let n = 0; n < 10; n += 1) await tracer.ingest(step({ prompt: 'x'.repeat(3_000) }));
  assert.deepEqual([tracer.stats.queued, tracer.stats.dropped], [3, 7]);
});

test('a refusal is not repeated, and its reason is said', async (t) => {
  const { ingest, tracer, warnings } = await setUp(t, { answer: () => ({ status: 401, body: { error: { message: 'unknown key' } } }) });
  await tracer.ingest(step());
  assert.equal(await tracer.flush(), true);
  assert.equal(ingest.requests.length, 1);
  assert.deepEqual(tracer.stats, { queued: 0, sent: 0, rejected: 1, dropped: 0 });
  assert.match(warnings.join(), /401: unknown key/);
});

test('of a batch the refused steps are counted, and the others are sent', async (t) => {
  const rejected = [{ index: 1, field: 'latency_ms', message: 'latency_ms is missing' }];
  const { tracer, warnings } = await setUp(t, { answer: () => ({ body: { stored: 2, duplicate: 0, rejected } }) });
  for (let n = 0; n < 3; n += 1) await tracer.ingest(step());
  await tracer.flush();
  assert.deepEqual([tracer.stats.sent, tracer.stats.rejected], [2, 1]);
  assert.match(warnings.join(), /latency_ms is missing/);
});

for (const status of [400, 413, 500]) {
  test(`one bad step takes no others with it (${status})`, async (t) => {
    const answer = ({ steps }) => (steps.some(({ step_name }) => step_name === 'bad') ? { status, body: {} } : undefined);
    const { ingest, tracer } = await setUp(t, { answer, flushIntervalMs: 60_000 });
    for (let n = 0; n < 5; n += 1) await tracer.ingest(step({ step_name: n === 2 ? 'bad' : `s${n}` }));
    assert.equal(await tracer.flush({ timeoutMs: 30_000 }), true);
    assert.deepEqual(ingest.taken().map(({ step_name }) => step_name), ['s0', 's1', 's3', 's4']);
    assert.deepEqual([tracer.stats.sent, tracer.stats.rejected], [4, 1]);
  });
}

test('half a character is none, and one that only looks like it stays', async (t) => {
  const { ingest, tracer } = await setUp(t);
  await tracer.ingest(step({ prompt: 'half \ud83d, whole \u{1f9f5}, text \\\\ud83d' }));
  await tracer.flush();
  assert.equal(ingest.taken()[0].prompt, 'half \ufffd, whole \u{1f9f5}, text \\\\ud83d');
});

test('shutdown has two seconds of patience with a server that hangs, and counts what it gives up', async (t) => {
  const { tracer, warnings } = await setUp(t, { answer: () => 'hang' });
  await tracer.ingest(step());
  const began = performance.now();
  await tracer.shutdown();
  const took = performance.now() - began;
  assert.ok(took > 1_900 && took < 2_600, `${took} ms`);
  await tracer.ingest(step());
  assert.equal(tracer.stats.dropped, 2);
  assert.match(warnings.join('\n'), /not sent within 2000 ms/);
});

test('a hook sees each step before it is sent, and may change it or keep it back', async (t) => {
  const redact = (each) => (each.step_name === 'secret' ? null : { ...each, prompt: '[redacted]' });
  const { ingest, tracer } = await setUp(t, { redact });
  await tracer.ingest(step({ step_name: 'secret' }));
  await tracer.ingest(step({ step_name: 'open' }));
  await tracer.flush();
  assert.deepEqual(ingest.taken().map(({ step_name, prompt }) => [step_name, prompt]), [['open', '[redacted]']]);
});

test('a hook that throws lets nothing out and nobody notice', async (t) => {
  const { ingest, tracer, warnings } = await setUp(t, {
    redact: () => {
      throw new Error('broken');
    },
  });
  for (let n = 0; n < 3; n += 1) await tracer.ingest(step());
  await tracer.flush();
  assert.equal(ingest.requests.length, 0);
  assert.equal(warnings.length, 1, 'it is said once');
  assert.match(warnings[0], /broken/);
});

test('ingest() keeps what the server asks for', async (t) => {
  const { ingest, tracer } = await setUp(t, { tags: ['all'], attributes: { team: 'a' } });
  await tracer.ingest(step({ step_name: 'own', span_id: 's-1' }));
  await tracer.ingest(step({ step_name: 'none', step_id: undefined }));
  await tracer.ingest(step({ step_name: 'joined', tags: ['one'], attributes: { n: 1 } }));
  await tracer.ingest({ step_name: 'tool', kind: 'tool', latency_ms: 5 });
  await tracer.flush();
  const [own, none, joined, tool] = ingest.taken();
  assert.equal(own.step_id, undefined, 'an id under two names would be refused');
  assert.ok(none.step_id, 'without an id sending again would store it again');
  assert.deepEqual([joined.tags, joined.attributes], [['all', 'one'], { team: 'a', n: 1 }]);
  assert.equal(tool.model, '');
});

test('release and environment come from the usual variables, and options win', async (t) => {
  process.env.GITHUB_SHA = '9be04a7c1f';
  process.env.VERCEL_ENV = 'preview';
  t.after(() => {
    delete process.env.GITHUB_SHA;
    delete process.env.VERCEL_ENV;
  });
  const { ingest, tracer } = await setUp(t, { environment: 'staging' });
  await tracer.ingest(step());
  await tracer.flush();
  const [{ release, environment }] = ingest.taken();
  assert.deepEqual([release, environment], ['9be04a7c1f', 'staging']);
});

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
