// Which step is part of which, whatever happens between them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { observe } from '@plumbline/sdk';

import { setUp } from './support/ingest-server.mjs';

const pause = () => new Promise((done) => setImmediate(done));

/** Name → name of its parent, and all run ids. */
async function tree({ ingest, tracer }) {
  await tracer.flush();
  const steps = ingest.taken();
  const names = new Map(steps.map(({ step_id, step_name }) => [step_id, step_name]));
  return {
    parents: Object.fromEntries(steps.map(({ step_name, parent_step_id }) => [step_name, names.get(parent_step_id) ?? null])),
    runs: new Set(steps.map(({ run_id }) => run_id)),
    steps: Object.fromEntries(steps.map((step) => [step.step_name, step])),
  };
}

test('functions that call each other are nested, also at the same time', async (t) => {
  const world = await setUp(t);
  const { tracer } = world;
  const leaf = tracer.observe(async function leaf(name) {
    await pause();
    return tracer.step(`leaf of ${name}`, pause);
  });
  const branch = (name) => tracer.step(name, async () => (await pause(), leaf(name)));
  await tracer.step('root', () => Promise.all([branch('a'), branch('b')]));
  const { parents, runs } = await tree(world);
  assert.equal(runs.size, 1);
  assert.deepEqual([parents.root, parents.a, parents.b], [null, 'root', 'root']);
  assert.deepEqual([parents['leaf of a'], parents['leaf of b']], ['leaf', 'leaf']);
});

test('each call from outside is a run of its own, counted from 0', async (t) => {
  const world = await setUp(t);
  const handle = world.tracer.observe(async () => world.tracer.step('inner', pause), { name: 'handle' });
  await Promise.all([handle(), handle()]);
  await world.tracer.flush();
  const steps = world.ingest.taken();
  const runs = Map.groupBy?.(steps, ({ run_id }) => run_id) ?? groupBy(steps);
  assert.equal(runs.size, 2);
  for (const each of runs.values()) assert.deepEqual(each.map(({ step_index }) => step_index).sort(), [0, 1]);
});

test('a tracer with a run id of its own puts everything into it', async (t) => {
  const world = await setUp(t, { runId: 'script' });
  world.tracer.step('one', () => {});
  world.tracer.step('two', () => {});
  assert.deepEqual([...(await tree(world)).runs], ['script']);
});

test('run() groups steps without one around them, and its labels hold for all of them', async (t) => {
  const world = await setUp(t);
  const run = world.tracer.run({ runId: 'r-1', sessionId: 'chat', tags: ['vip'] });
  run.within(() => world.tracer.step('one', () => {}, { tags: ['slow'] }));
  await run.step('two', pause, { kind: 'tool', userId: 'u-1' });
  const { steps, parents } = await tree(world);
  assert.deepEqual(parents, { one: null, two: null });
  const { one, two } = steps;
  assert.deepEqual([one.run_id, one.session_id, one.tags], ['r-1', 'chat', ['vip', 'slow']]);
  assert.deepEqual([two.run_id, two.kind, two.user_id, two.session_id], ['r-1', 'tool', 'u-1', 'chat']);
});

test('a function keeps its arguments, result, this, name and errors', async (t) => {
  const world = await setUp(t);
  const counter = { n: 2, times: world.tracer.observe(function times(factor) { return this.n * factor; }, { kind: 'tool' }) };
  assert.equal(counter.times(21), 42);
  assert.equal(counter.times.name, 'times');
  const broken = world.tracer.observe(async () => { throw new TypeError('no'); }, { name: 'broken' });
  await assert.rejects(broken(), (error) => error instanceof TypeError && error.message === 'no');
  const { steps } = await tree(world);
  const { kind, prompt, output_code, latency_ms } = steps.times;
  assert.deepEqual([kind, prompt, output_code], ['tool', '21', '42']);
  assert.ok(latency_ms >= 0);
  const { status_success, error, error_class } = steps.broken;
  assert.deepEqual([status_success, error, error_class], [false, 'no', 'TypeError']);
});

test('arguments of any kind are kept without harm', async (t) => {
  const world = await setUp(t);
  const circle = { name: 'circle', big: 10n, when: new Date(0), self: undefined, socket: new (class Socket {})(), list: Array.from({ length: 500 }, (_, n) => n) };
  circle.self = circle;
  const trap = { get value() { throw new Error('a getter'); } };
  world.tracer.observe((value) => value, { name: 'circle' })(circle);
  world.tracer.observe((value) => value, { name: 'trap' })(trap);
  world.tracer.observe(() => 1, { name: 'private', captureInput: false, captureOutput: false })('secret');
  const { steps } = await tree(world);
  const kept = JSON.parse(steps.circle.prompt);
  assert.deepEqual([kept.big, kept.when, kept.self, kept.socket, kept.list.length], ['10', '1970-01-01T00:00:00.000Z', '[…]', '[Socket]', 201]);
  assert.equal(steps.trap.prompt, '[unreadable]');
  assert.deepEqual([steps.private.prompt, steps.private.output_code], ['', undefined]);
});

test('generators of both kinds are one step each, with what they call inside', async (t) => {
  const world = await setUp(t);
  const { tracer } = world;
  const words = tracer.observe(function* words() {
    tracer.step('in words', () => {});
    const answer = yield 'a ';
    yield answer;
  });
  const made = words();
  assert.equal(made.next().value, 'a ');
  tracer.step('between', () => {});
  assert.equal(made.next('plumb line').value, 'plumb line');
  assert.equal(made.next().done, true);

  const numbers = tracer.observe(async function* numbers() {
    for (let n = 0; ; n += 1) {
      await tracer.step(`number ${n}`, pause);
      yield n;
    }
  });
  for await (const n of numbers()) if (n === 2) break;
  const { parents, steps } = await tree(world);
  assert.equal(parents['in words'], 'words');
  assert.equal(parents.between, null, 'what a caller does between two values is not part of the generator');
  assert.equal(steps.words.output_code, 'a plumb line');
  assert.equal(parents['number 2'], 'numbers');
  assert.deepEqual([steps.numbers.aborted, steps.numbers.output_code], [true, '[0,1,2]']);
});

test('observe() without a tracer uses the one around it, or the first', async (t) => {
  const first = await setUp(t);
  const second = await setUp(t);
  const free = observe(() => {}, { name: 'free' });
  free();
  second.tracer.step('outer', () => free());
  assert.deepEqual((await tree(first)).parents, { free: null });
  assert.deepEqual((await tree(second)).parents, { free: 'outer', outer: null });
});

test('after shutdown() nothing is recorded, whatever the environment says', () => {
  const program = `
    import { observe, Tracer } from '@plumbline/sdk';
    await new Tracer({ redact: () => undefined }).shutdown();
    observe(() => 'secret', { name: 'late' })();`;
  const cwd = new URL('.', import.meta.url);
  const env = { ...process.env, PLUMBLINE_API_URL: 'http://127.0.0.1:1' };
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd, env, encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, ''], 'otherwise it says what it could not send');
});

test('an error that cannot be shown is the caller’s own', async (t) => {
  const world = await setUp(t);
  class Mute extends Error {
    get message() {
      throw new TypeError('no text');
    }
  }
  const fails = world.tracer.observe(
    () => {
      throw new Mute();
    },
    { name: 'fails' },
  );
  assert.throws(fails, Mute);
  assert.equal((await tree(world)).steps.fails.error_class, 'Mute');
});

test('a step can say more about itself, and ends once', async (t) => {
  const world = await setUp(t);
  world.tracer.step('custom', (step) => {
    step.set({ kind: 'llm', model: 'in-house', usage: { input_tokens: 3, output_tokens: 4 }, attributes: { a: 1 } });
    step.set({ attributes: { b: 2 } });
    step.event('retried', { n: 1 });
    step.end({ output_code: 'done' });
    return 'ignored';
  });
  const { custom } = (await tree(world)).steps;
  assert.deepEqual([custom.model, custom.kind, custom.output_code, custom.attributes], ['in-house', 'llm', 'done', { a: 1, b: 2 }]);
  assert.equal(custom.events[0].name, 'retried');
});

test('a rejection that nobody handles ends the process, as it would without us', () => {
  const program = `
    import { Tracer } from '@plumbline/sdk';
    const tracer = new Tracer({ apiUrl: 'http://127.0.0.1:1' });
    tracer.step('forgotten', async () => { throw new Error('unseen'); });`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: new URL('.', import.meta.url), encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /unseen/);
});

function groupBy(steps) {
  const groups = new Map();
  for (const step of steps) groups.set(step.run_id, [...(groups.get(step.run_id) ?? []), step]);
  return groups;
}
