// The snippets that verify a signed webhook, run as a user who copied them would: a genuine call, and what is none.

import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@playwright/test';

import { repository } from '../harness/server';

const folder = join(repository, 'docs/snippets/verify');
const body = '{"schema_version":1,"summary":"ü, \\"x\\" = 1"}';

function signed(secret: string, secondsAgo: number, text = body) {
  const at = Math.floor(Date.now() / 1000) - secondsAgo;
  return { at, v1: createHmac('sha256', secret).update(`${at}.${text}`).digest('hex') };
}

const now = signed('whsec_a', 0);
const cases: [string, string, string, boolean][] = [
  ['a genuine call', `t=${now.at},v1=${now.v1}`, body, true],
  ['while a new secret takes over', `t=${now.at},v1=${signed('whsec_b', 0).v1},v1=${now.v1}`, body, true],
  ['another body', `t=${now.at},v1=${now.v1}`, body.replace('1', '2'), false],
  ['another secret', `t=${now.at},v1=${signed('whsec_b', 0).v1}`, body, false],
  ['no hexadecimal', `t=${now.at},v1=zz`, body, false],
];
const old = signed('whsec_a', 400);
cases.push(['one that is sent again later', `t=${old.at},v1=${old.v1}`, body, false]);

const programs: Record<string, (header: string, text: string) => string> = {
  'python.py': (header, text) =>
    execFileSync('python3', [
      '-c',
      'import runpy, sys; print(runpy.run_path(sys.argv[1])["is_genuine"](sys.argv[2], sys.argv[3].encode(), "whsec_a"))',
      join(folder, 'python.py'),
      header,
      text,
    ]).toString(),
  'node.mjs': (header, text) =>
    execFileSync('node', [
      '--input-type=module',
      '-e',
      'const { isGenuine } = await import(process.argv[1]); process.stdout.write(String(isGenuine(process.argv[2], process.argv[3], "whsec_a")));',
      join(folder, 'node.mjs'),
      header,
      text,
    ]).toString(),
};

for (const [file, verify] of Object.entries(programs)) {
  test(`docs/snippets/verify/${file} knows a genuine webhook`, () => {
    for (const [name, header, text, expected] of cases) {
      expect(verify(header, text).trim().toLowerCase(), name).toBe(String(expected));
    }
  });
}

test('the manual shows them as they are', () => {
  const manual = readFileSync(join(repository, 'docs/alerts.md'), 'utf8');
  for (const file of ['python.py', 'node.mjs', 'rust.rs']) {
    expect(manual, file).toContain(readFileSync(join(folder, file), 'utf8').trim());
  }
});
