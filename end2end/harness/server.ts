// Starts the real binary on a free port with a data folder of its own, and stops it as an operator would.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
export const artifacts = join(repository, 'end2end/artifacts');

export interface Server {
  /** http://127.0.0.1:<port>, without a slash at the end. */
  readonly url: string;
  /** The same of gRPC. */
  readonly grpcUrl: string;
  /** Its data folder. */
  readonly data: string;
  /** Everything the server has logged so far. */
  log(): string;
  /** Runs a command beside it, as somebody would in its folder; fails when the command does. */
  command(...words: string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Port 0 lets the system choose; the port is free again when this returns. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done, failed) => probe.once('error', failed).listen(0, '127.0.0.1', done));
  const address = probe.address();
  await new Promise((done) => probe.close(done));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function binary(): string {
  const target = process.env.CARGO_TARGET_DIR ?? join(repository, 'target');
  return process.env.PLUMBLINE_BIN ?? join(target, 'debug/plumbline');
}

/** `name` names the log file under artifacts/; `environment` adds to or overrides the server's. */
export async function startServer(name: string, environment: Record<string, string> = {}): Promise<Server> {
  mkdirSync(artifacts, { recursive: true });
  const data = mkdtempSync(join(tmpdir(), 'plumbline-e2e-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const grpcPort = await freePort();
  const logFile = join(artifacts, `${name}.log`);

  // Nothing of the developer's own configuration reaches the tests.
  const inherited = Object.entries(process.env).filter(([key]) => !/^(PLUMBLINE_|DATABASE_URL$|LEPTOS_)/.test(key));
  const env = {
    ...Object.fromEntries(inherited),
    ...(process.env.PLUMBLINE_POSTGRES_BIN ? { PLUMBLINE_POSTGRES_BIN: process.env.PLUMBLINE_POSTGRES_BIN } : {}),
    PLUMBLINE_ADDR: `127.0.0.1:${port}`,
    PLUMBLINE_OTLP_GRPC_ADDR: `127.0.0.1:${grpcPort}`,
    PLUMBLINE_DATA: join(data, 'data'),
    ...environment,
  };
  const child = spawn(binary(), ['serve'], { cwd: data, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const stream = createWriteStream(logFile);
  child.stdout.pipe(stream, { end: false });
  child.stderr.pipe(stream, { end: false });
  const log = () => readFileSync(logFile, 'utf8');

  const exited = new Promise<void>((done) => {
    child.once('error', () => done());
    child.once('exit', () => done());
  });
  const stop = async () => {
    await terminate(child, exited);
    stream.end();
    rmSync(data, { recursive: true, force: true });
  };
  // Should the runner die, no server and no Postgres stay behind.
  const last = () => child.kill('SIGTERM');
  process.once('exit', last);
  void exited.then(() => process.off('exit', last));

  try {
    await ready(url, child);
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}\n${log()}`);
  }
  const command = async (...words: string[]) => {
    const { stdout, stderr } = await promisify(execFile)(binary(), words, { cwd: data, env });
    return stdout + stderr;
  };
  return { url, grpcUrl: `http://127.0.0.1:${grpcPort}`, data: env.PLUMBLINE_DATA, log, command, stop };
}

async function ready(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.pid === undefined) throw new Error(`${binary()} did not start`);
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error('the server was not ready after 60 s');
}

/** SIGTERM, and SIGKILL when that is not enough: a test server must never outlive its tests. */
async function terminate(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await exited;
  clearTimeout(patience);
}
