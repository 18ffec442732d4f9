// A provider of models that is made up: it speaks OpenAI's Chat Completions, says what a test wrote down, and keeps what
// it was asked.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Say {
  text?: string;
  /** A call of a tool. */
  call?: { name: string; arguments: unknown };
  /** An answer that is none. */
  status?: number;
}

export interface ModelProvider {
  /** What a provider's address is to be. */
  readonly url: string;
  /** The bodies of the questions, oldest first. */
  readonly asked: string[];
  /** What it says next, each once; `pong` when nothing is left. */
  say(...next: Say[]): void;
  stop(): Promise<void>;
}

const usage = { prompt_tokens: 1000, completion_tokens: 50, total_tokens: 1050 };

function events(say: Say): string {
  const chunk = (delta: unknown, finish: string | null) =>
    `data: ${JSON.stringify({ model: 'gpt-5-mini', choices: [{ delta, finish_reason: finish }] })}\n\n`;
  const called = say.call;
  const delta = called
    ? { tool_calls: [{ index: 0, id: 'call_1', function: { name: called.name, arguments: JSON.stringify(called.arguments) } }] }
    : { content: say.text ?? 'pong' };
  return [
    chunk(delta, null),
    chunk({}, called ? 'tool_calls' : 'stop'),
    `data: ${JSON.stringify({ model: 'gpt-5-mini', choices: [], usage })}\n\n`,
    'data: [DONE]\n\n',
  ].join('');
}

export async function startModelProvider(): Promise<ModelProvider> {
  const asked: string[] = [];
  const script: Say[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push(Buffer.concat(chunks).toString());
      const say = script.shift() ?? {};
      if (say.status !== undefined) {
        response.writeHead(say.status, { 'content-type': 'application/json', connection: 'close' });
        response.end(JSON.stringify({ error: { type: 'made_up', message: say.text ?? 'not today' } }));
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', connection: 'close' });
      response.end(events(say));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    asked,
    say: (...next) => void script.push(...next),
    stop: () => new Promise((done) => server.close(() => done())),
  };
}
