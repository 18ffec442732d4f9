// A wire that listens: passes TCP bytes on as they are and keeps a copy of both directions.

import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

import { readMessage, type Exchange } from './http';

interface Chunk {
  /** Counts the chunks of all connections, so that requests of several can be put in order. */
  readonly order: number;
  readonly bytes: Buffer;
}

interface Connection {
  asked: Chunk[];
  answered: Chunk[];
}

export interface Tap {
  /** http://127.0.0.1:<port>, without a slash at the end. */
  readonly url: string;
  /** What passed since the last call, in the order in which the requests began. For when nothing is under way. */
  take(): Exchange[];
  stop(): Promise<void>;
}

/** Listens on a free port and passes everything to `target`. */
export async function tap(target: string): Promise<Tap> {
  const { hostname, port } = new URL(target);
  const connections = new Set<Connection>();
  const sockets = new Set<Socket>();
  let order = 0;

  const server: Server = createServer((near) => {
    const far = connect(Number(port), hostname);
    const connection: Connection = { asked: [], answered: [] };
    connections.add(connection);
    join(near, far, (bytes) => connection.asked.push({ order: (order += 1), bytes }));
    join(far, near, (bytes) => connection.answered.push({ order: (order += 1), bytes }));
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
  });
  await new Promise<void>((done, failed) => server.once('error', failed).listen(0, '127.0.0.1', done));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const found = [...connections].flatMap(exchanges);
      for (const connection of connections) {
        connection.asked = [];
        connection.answered = [];
      }
      return found.sort((a, b) => a.order - b.order).map(({ exchange }) => exchange);
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** What comes out of `from` goes into `to`; an end is an end on both sides, a reset a reset. */
function join(from: Socket, to: Socket, keep: (bytes: Buffer) => void): void {
  from.on('data', (bytes: Buffer) => {
    keep(bytes);
    if (!to.write(bytes)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.end());
}

function exchanges({ asked, answered }: Connection): { order: number; exchange: Exchange }[] {
  const requests = Buffer.concat(asked.map(({ bytes }) => bytes));
  const answers = Buffer.concat(answered.map(({ bytes }) => bytes));
  const found = [];
  let answerAt = 0;
  for (let at = 0; ; ) {
    const request = readMessage(requests, at);
    if (request === undefined) return found;
    let response = readMessage(answers, answerAt);
    // An informational answer comes before the real one.
    while (response?.message.start.startsWith('HTTP/1.1 1')) {
      response = readMessage(answers, readMessage(answers, answerAt, true)?.next ?? answers.length);
    }
    answerAt = response?.next ?? answers.length;
    found.push({ order: orderAt(asked, at), exchange: { request: request.message, response: response?.message } });
    at = request.next;
  }
}

/** The order of the chunk that holds the byte at `offset`. */
function orderAt(chunks: Chunk[], offset: number): number {
  let end = 0;
  return chunks.find(({ bytes }) => (end += bytes.length) > offset)?.order ?? 0;
}
