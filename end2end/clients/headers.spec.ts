// What a call's headers say about the step it becomes, sent without any client.

import { expect, test } from './harness/test';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const question = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'What is a plumb line?' }] };

test('traceparent gives run and parent, and travels on', async ({ way, project, request, stored }) => {
  const traceparent = `00-${TRACE}-${SPAN}-01`;
  way.far.take();
  const headers = { 'x-plumbline-key': project.key, authorization: 'Bearer sk-1', traceparent };
  const answer = await request.post(`${way.server.url}/v1/chat/completions`, { headers, data: question });
  expect(answer.status()).toBe(200);
  const { steps } = await stored(TRACE, 1);
  expect(steps).toMatchObject([{ parent_step_id: SPAN, status: 'ok', kind: 'llm' }]);
  expect(way.far.take()[0]?.request.headers).toContainEqual(['traceparent', traceparent]);
});

test('a run named by our header wins over traceparent', async ({ way, project, request, stored }) => {
  const headers = { 'x-plumbline-key': project.key, authorization: 'Bearer sk-1', traceparent: `00-${TRACE}-${SPAN}-01`, 'x-plumbline-run': 'ours' };
  await request.post(`${way.server.url}/v1/chat/completions`, { headers, data: question });
  expect((await stored('ours', 1)).steps).toMatchObject([{ parent_step_id: null }]);
});

test('environment, release and the aliases of another proxy', async ({ way, project, request, stored }) => {
  const headers = {
    'x-llmtrace-key': project.key,
    'x-llmtrace-session': 's-7',
    authorization: 'Bearer sk-1',
    'x-plumbline-run': 'named',
    'x-plumbline-environment': 'production',
    'x-plumbline-release': '9be04a7',
  };
  await request.post(`${way.server.url}/v1/chat/completions`, { headers, data: question });
  const { run, steps } = await stored('named', 1);
  expect(run).toMatchObject({ session_id: 's-7', environment: 'production', release: '9be04a7' });
  expect(steps).toMatchObject([{ name: 'chat.completions' }]);
});

test('fifty calls at once are fifty steps of one run', async ({ way, project, request, stored }) => {
  const headers = { 'x-plumbline-key': project.key, authorization: 'Bearer sk-1', 'x-plumbline-run': 'at-once' };
  const calls = Array.from({ length: 50 }, (_, n) =>
    request.post(`${way.server.url}/v1/chat/completions`, { headers: { ...headers, 'x-plumbline-step': `step-${n}` }, data: question }),
  );
  for (const answer of await Promise.all(calls)) expect(answer.status()).toBe(200);
  const { steps } = await stored('at-once', 50);
  expect(new Set(steps.map(({ name }) => name)).size).toBe(50);
});

test('prompt and answer are kept with the step', async ({ way, project, request, stored }) => {
  const headers = { 'x-plumbline-key': project.key, authorization: 'Bearer sk-1', 'x-plumbline-run': 'kept' };
  const answer = await request.post(`${way.server.url}/v1/chat/completions`, { headers, data: question });
  const { steps } = await stored('kept', 1);
  const payload = await request.get(`${way.server.url}/api/runs/kept/steps/${steps[0]?.step_id}/payload`, {
    headers: { authorization: `Bearer ${project.key}` },
  });
  const text = await payload.text();
  expect(text).toContain('What is a plumb line?');
  const { choices } = (await answer.json()) as { choices: { message: { content: string } }[] };
  expect(text).toContain(choices[0]?.message.content);
  expect(text).not.toContain('sk-1');
});
