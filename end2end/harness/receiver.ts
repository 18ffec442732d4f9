// A receiver of alerts: keeps what came, and answers as it is told.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Receiver {
  readonly url: string;
  /** The bodies that came, oldest first. */
  readonly got: string[];
  /** From now on it answers like this. */
  answer(status: number, body: string): void;
  stop(): Promise<void>;
}

/** Starts one that takes everything. */
export async function startReceiver(): Promise<Receiver> {
  const got: string[] = [];
  let [status, words] = [200, 'ok'];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      got.push(Buffer.concat(chunks).toString());
      response.writeHead(status, { connection: 'close' });
      response.end(words);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    got,
    answer: (newStatus, newWords) => ([status, words] = [newStatus, newWords]),
    stop: () => new Promise((done) => server.close(() => done())),
  };
}
