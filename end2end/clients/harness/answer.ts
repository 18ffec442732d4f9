// How an answer of our own is written.

import type { IncomingMessage, ServerResponse } from 'node:http';

/** Writes a whole answer; may wait until the caller has gone away. */
export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => Promise<void> | void;

/** Writes and waits until there is room for more. */
export async function write(response: ServerResponse, text: string | Buffer): Promise<void> {
  if (response.write(text) || response.destroyed) return;
  await new Promise<void>((done) => {
    const over = () => {
      response.off('drain', over).off('close', over);
      done();
    };
    response.on('drain', over).on('close', over);
  });
}

/** Holds the answer open until the caller goes away. */
export async function untilAbandoned(response: ServerResponse): Promise<void> {
  if (!response.destroyed) await new Promise<void>((done) => response.once('close', () => done()));
}
