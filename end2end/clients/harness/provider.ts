// The provider that clients and proxy believe to talk to: aimock, and answers of our own for what it cannot do.
// Which answer a request gets is said by its header `x-scenario`, which has to travel through the proxy like any other.

import type { IncomingMessage, ServerResponse } from 'node:http';

import { LLMock } from '@copilotkit/aimock';

import type { Answer } from './answer';
import { anthropicAnswers } from './answers-anthropic';
import { openaiAnswers } from './answers-openai';
import { fixtures } from './fixtures';

export interface Provider {
  readonly url: string;
  /** Scenarios whose caller went away while the answer was still open, since the last call. */
  takeAbandoned(): string[];
  /** How many requests aimock itself answered. */
  answeredByMock(): number;
  stop(): Promise<void>;
}

export async function startProvider(): Promise<Provider> {
  const mock = new LLMock({ port: 0, host: '127.0.0.1', chunkSize: 7, strict: true });
  mock.addFixtures(fixtures);
  let abandoned: string[] = [];

  const answer = async (answers: Record<string, Answer>, request: IncomingMessage, response: ServerResponse) => {
    // A scenario that only differs in asking for usage has the same answer.
    const scenario = String(request.headers['x-scenario']).replace(/-asked$/, '');
    const found = answers[scenario];
    if (found === undefined) return false;
    response.once('close', () => {
      if (!response.writableFinished) abandoned.push(scenario);
    });
    await found(request, response, await read(request));
    return true;
  };
  const paths: [string, Record<string, Answer>][] = [
    ['/v1/messages', anthropicAnswers],
    ['/v1/chat/completions', openaiAnswers],
    ['/v1/responses', openaiAnswers],
    ['/v1/completions', openaiAnswers],
    ['/v1/embeddings', openaiAnswers],
    ['/v1/models', { ...anthropicAnswers, ...openaiAnswers }],
  ];
  for (const [path, answers] of paths) {
    mock.mount(path, { handleRequest: (request, response) => answer(answers, request, response) });
  }
  await mock.start();
  return {
    url: mock.url,
    takeAbandoned() {
      const taken = abandoned;
      abandoned = [];
      return taken;
    },
    answeredByMock: () => mock.getRequests().length,
    stop: () => mock.stop(),
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
