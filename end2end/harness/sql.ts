// A statement on the test server's own Postgres, for what no way in of the product can do. Speaks just enough of the
// protocol for that: not every machine that runs the tests has `psql`.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

/** Where a server's Postgres lies: in its data folder, or, where the account that runs it can't go there, outside of it. */
function cluster(dataFolder: string): string {
  const beside = join(dataFolder, 'postgres');
  if (existsSync(beside)) return beside;
  const key = createHash('sha256').update(realpathSync(dataFolder)).digest('hex').slice(0, 12);
  return join('/var/lib/plumbline', key, 'postgres');
}

/** Runs statements as the owner of the database of a server. */
export async function runSql(dataFolder: string, sql: string): Promise<void> {
  const [, , , port, socketFolder] = readFileSync(join(cluster(dataFolder), 'postmaster.pid'), 'utf8').split('\n');
  const socket = connect(join(socketFolder ?? '', `.s.PGSQL.${port}`));
  const message = (type: string, body: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length + 4);
    return Buffer.concat([Buffer.from(type), length, body]);
  };
  const protocol = Buffer.alloc(4);
  protocol.writeInt32BE(196_608); // 3.0
  socket.write(message('', Buffer.concat([protocol, Buffer.from('user\0plumbline\0database\0plumbline\0\0')])));

  let received = Buffer.alloc(0);
  let isSent = false;
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk as Buffer]);
    while (received.length >= 5 && received.length > received.readInt32BE(1)) {
      const end = received.readInt32BE(1) + 1;
      const [type, body] = [String.fromCharCode(received[0] ?? 0), received.subarray(5, end)];
      received = received.subarray(end);
      if (type === 'E') throw new Error(`${sql}: ${body.toString()}`);
      if (type === 'Z' && isSent) {
        socket.end(message('X', Buffer.alloc(0)));
        return;
      }
      if (type === 'Z') {
        isSent = true;
        socket.write(message('Q', Buffer.from(`${sql}\0`)));
      }
    }
  }
  throw new Error(`${sql}: the database ended the connection`);
}
