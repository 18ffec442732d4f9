// A real server that takes what Sentry takes, with a project of its own, and what it made of what it got.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { freePort } from '../../harness/server';
import { inherited, python } from './program';

const program = fileURLToPath(new URL('../bugsink/server.py', import.meta.url));

export interface Issue {
  readonly id: string;
  /** The first line of what happened. */
  readonly calculated_value: string;
  readonly digested_event_count: number;
}

/** What was sent, as it is kept. */
export interface BugsinkEvent {
  readonly level: string;
  readonly release?: string;
  readonly environment?: string;
  readonly tags: Record<string, string>;
  readonly extra: { plumbline_url: string; occurrences: number };
  readonly contexts: { trace: { trace_id: string; span_id: string } };
}

export interface Bugsink {
  readonly dsn: string;
  issues(): Promise<Issue[]>;
  /** The events of an issue, oldest first. */
  events(issue: Issue): Promise<BugsinkEvent[]>;
  stop(): Promise<void>;
}

/** Starts one on a free port; it has made its databases when this returns. */
export async function startBugsink(): Promise<Bugsink> {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-bugsink-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(python('bugsink-venv'), [program], {
    env: { ...inherited, PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1', BUGSINK_FOLDER: folder, BUGSINK_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  // Should the runner die, it does not stay behind.
  const last = () => child.kill('SIGKILL');
  process.once('exit', last);
  const stop = async () => {
    process.off('exit', last);
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };

  const lines = createInterface({ input: child.stdout });
  const said = await new Promise<string | undefined>((done) => {
    lines.once('line', done);
    lines.once('close', () => done(undefined));
  });
  if (said === undefined) {
    await stop();
    throw new Error(`Bugsink did not start\n${complaints}`);
  }
  const { dsn, project, token } = JSON.parse(said) as { dsn: string; project: number; token: string };

  const get = async (path: string): Promise<any> => {
    const answer = await fetch(`${url}/api/canonical/0/${path}`, { headers: { authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error(`Bugsink answered ${answer.status} to ${path}: ${await answer.text()}\n${complaints}`);
    return answer.json();
  };
  return {
    dsn,
    issues: async () => (await get(`issues/?project=${project}`)).results as Issue[],
    events: async (issue) => {
      const { results } = (await get(`events/?issue=${issue.id}&order=asc`)) as { results: { id: string }[] };
      const details = results.map(async ({ id }) => ((await get(`events/${id}/`)) as { data: BugsinkEvent }).data);
      return Promise.all(details);
    },
    stop,
  };
}
