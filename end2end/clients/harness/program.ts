// Runs a program that uses a provider's own client, and collects what it printed.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { repository } from '../../harness/server';

const programs = fileURLToPath(new URL('../programs', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(repository, 'target');

/** What one scenario looked like to the program. */
export interface Outcome {
  readonly scenario: string;
  readonly returned?: unknown;
  readonly raised?: { class: string[]; message: string; status?: number | null; [field: string]: unknown };
}

/** The interpreter with the packages of one of the environments that scripts/setup makes. */
export function python(venv: string): string {
  const program = join(target, venv, 'bin/python');
  if (!existsSync(program)) throw new Error(`${program} is missing; scripts/setup test installs it`);
  return program;
}

/** What runs a file. */
function commandOf(file: string, venv: string): [program: string, ...args: string[]] {
  switch (extname(file)) {
    case '.py':
      return [python(venv), file];
    case '.sh':
      return ['bash', file];
    case '':
      return [file]; // compiled
    default:
      return [process.execPath, file];
  }
}

/** Nothing of the developer's own configuration or proxies reaches a client. */
export const inherited = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(PLUMBLINE_|CLIENT_|ANTHROPIC_|OPENAI_|OTEL_|LANGFUSE_|TRACELOOP_|NODE_OPTIONS$)|_proxy$/i.test(name)),
);

/** Runs a file to its end, in `folder`; fails with what it wrote when it fails. Python's packages are those of `venv`. */
export async function run(file: string, environment: Record<string, string>, folder?: string, venv = 'clients-venv'): Promise<string> {
  const [program, ...args] = commandOf(file, venv);
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...inherited, PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const code = await new Promise<number | null>((done, failed) => child.once('error', failed).once('close', done));
  if (code !== 0) throw new Error(`${file} ended with ${code}\n${out}${complaints}`);
  return out;
}

/** All scenarios of one program, against `url`; of a copy in another `folder`, where other packages are found. */
export async function outcomes(
  program: string,
  url: string,
  runPrefix: string,
  key: string,
  { folder = programs, environment = {} }: { folder?: string; environment?: Record<string, string> } = {},
): Promise<Outcome[]> {
  const out = await run(join(folder, program), {
    CLIENT_BASE_URL: url,
    CLIENT_RUN_PREFIX: runPrefix,
    CLIENT_PLUMBLINE_KEY: key,
    ...environment,
  });
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome);
}
