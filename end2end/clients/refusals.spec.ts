// What the proxy says itself: in the provider's words, so that clients raise what their users already handle.

import { readFileSync, readdirSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { artifacts, repository, startServer } from '../harness/server';
import { run } from './harness/program';
import { expect, test } from './harness/test';

const snippets = join(repository, 'docs/snippets');
const environment = { ANTHROPIC_API_KEY: 'sk-ant-their-own', OPENAI_API_KEY: 'sk-their-own' };

/** A snippet with another address and key, where Node finds the packages it needs. */
function filled(file: string, url: string, key: string): string {
  const text = readFileSync(join(snippets, file), 'utf8');
  const copy = join(artifacts, `refused-${file}`);
  mkdirSync(artifacts, { recursive: true });
  writeFileSync(copy, text.replaceAll('http://127.0.0.1:3000', url).replaceAll('pl_live_...', key));
  return copy;
}

for (const file of readdirSync(snippets).filter((name) => name.includes('.')).sort()) {
  test(`an unknown key raises AuthenticationError in ${file}, and the provider hears nothing`, async ({ way }) => {
    way.far.take();
    const copy = filled(file, way.server.url, `pl_live_${'0'.repeat(43)}`);
    await expect(run(copy, environment)).rejects.toThrow(/AuthenticationError.*401/s);
    expect(way.far.take()).toEqual([]);
  });
}

test('a provider that cannot be reached raises InternalServerError, and the call is a failed step', async ({ request }) => {
  // Port 9 discards; nobody listens there.
  const nowhere = 'http://127.0.0.1:9';
  const server = await startServer('clients-unreachable', { PLUMBLINE_UPSTREAM_ANTHROPIC: nowhere, PLUMBLINE_UPSTREAM_OPENAI: nowhere });
  try {
    for (const file of ['node-anthropic.mjs', 'python-openai.py']) {
      // Where nobody has to sign in, a word of one's own is a key.
      const copy = filled(file, server.url, 'my-app');
      await expect(run(copy, environment)).rejects.toThrow(/InternalServerError.*502/s);
    }
    const failures = async () => {
      const { items } = (await (await request.get(`${server.url}/api/runs?limit=10`)).json()) as { items: { status: string; step_count: number }[] };
      return items.map(({ status }) => status);
    };
    // The clients try three times, in one run each.
    await expect.poll(failures).toEqual(['error', 'error']);
  } finally {
    await server.stop();
  }
});
