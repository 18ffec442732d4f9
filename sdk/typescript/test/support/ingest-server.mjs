// A made-up Plumbline: keeps what it is sent, and answers as it is told.

import { createServer } from 'node:http';

import { Tracer } from '@plumbline/sdk';

/** `answer(request)` gives `{ status, body, headers }`, or `'hang'`; default: everything is stored. */
export async function startIngest(answer = () => undefined) {
  const requests = [];
  const waiting = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const steps = JSON.parse(body).steps;
    const seen = { url: request.url, authorization: request.headers.authorization, steps, at: performance.now() };
    requests.push(seen);
    const told = await answer(seen, requests.length);
    if (told === 'hang') return;
    const { status = 200, body: text = { stored: steps.length, duplicate: 0, rejected: [] }, headers = {} } = told ?? {};
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(text));
    if (status === 200) seen.isTaken = true;
    for (const done of waiting.splice(0)) done();
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    /** The steps of the requests that were answered with 200. */
    taken: () => requests.filter(({ isTaken }) => isTaken).flatMap(({ steps }) => steps),
    /** The next answer. */
    next: () => new Promise((done) => waiting.push(done)),
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** A tracer and the server that it sends to, for the length of a test. */
export async function setUp(t, { answer, ...options } = {}) {
  const ingest = await startIngest(answer);
  const warnings = [];
  const tracer = new Tracer({ apiKey: 'pl_live_test', apiUrl: ingest.url, onWarning: (message) => warnings.push(message), ...options });
  t.after(async () => {
    await tracer.shutdown({ timeoutMs: 0 });
    await ingest.stop();
  });
  return { ingest, tracer, warnings };
}

export const step = (more) => ({ step_name: 'step', model: 'm', prompt: 'p', latency_ms: 5, ...more });
