// The Model Context Protocol's own client, over both transports: it lists the tools, calls one, and is told what was wrong.

import { join } from 'node:path';

import { expect, test } from '@playwright/test';

import { repository, startServer } from '../harness/server';
import { run } from './harness/program';

const target = process.env.CARGO_TARGET_DIR ?? join(repository, 'target');

test('the protocol’s own client lists and calls the tools over HTTP and stdio', async ({ request }) => {
  const server = await startServer('server-mcp');
  try {
    const step = { run_id: 'r1', step_id: 's1', step_name: 'answer', model: 'claude-haiku-4-5', prompt: 'Answer the ticket', output_code: 'Done.', latency_ms: 640, input_tokens: 48, output_tokens: 11 };
    expect((await request.post(`${server.url}/ingest`, { data: step })).ok()).toBe(true);
    const printed = await run(join(repository, 'end2end/clients/programs/mcp_calls.py'), {
      MCP_URL: `${server.url}/mcp`,
      MCP_PROGRAM: process.env.PLUMBLINE_BIN ?? join(target, 'debug/plumbline'),
      MCP_DATA: server.data,
    });
    const seen = printed.trim().split('\n').map((line) => JSON.parse(line));
    expect(seen.map((one) => one.transport)).toEqual(['http', 'stdio']);
    for (const one of seen) {
      expect(one.tools).toContain('query_daily_cost');
      expect(one.runs.runs).toMatchObject([{ run_id: 'r1', name: 'answer' }]);
      expect(one.failed).toEqual([false, true]);
      expect(one.words).toContain('days must be an integer from 1 to 90');
    }
    expect(seen[0].tools).toEqual(seen[1].tools);
  } finally {
    await server.stop();
  }
});
