// A GitHub for the settings' tests: one repository with one deployment, and webhooks as the real one signs them.

import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { APIRequestContext, APIResponse } from '@playwright/test';

export const sha = 'c4e2117a90b3c5d7e9f1a3b5c7d9e1f3a5b7c9d1';

export interface Github {
  /** The address of its API. */
  readonly url: string;
  /** From now on it answers like this. */
  refuse(status: number, message: string): void;
  stop(): Promise<void>;
}

/** Starts one that takes any token. */
export async function startGithub(): Promise<Github> {
  const shipped = new Date(Date.now() - 3_600_000).toISOString();
  const pull = { number: 2, title: 'Switch the summary endpoint', user: { login: 'mara' }, merged_at: shipped, html_url: 'https://github.com/acme/support/pull/2' };
  const answers: [RegExp, unknown][] = [
    [/\/deployments\?/, [{ id: 41, sha, ref: 'main', environment: 'production', creator: { login: 'jonas' }, created_at: shipped, updated_at: shipped }]],
    [/\/statuses\?/, [{ state: 'success', created_at: shipped, log_url: 'https://github.com/acme/support/actions/runs/7' }]],
    [/\/pulls\?/, [pull]],
    [/\/actions\/.*runs\?/, { total_count: 0, workflow_runs: [] }],
  ];
  let refusal: { status: number; message: string } | undefined;
  const server: Server = createServer((request, response) => {
    const found = answers.find(([path]) => path.test(request.url ?? ''));
    const body = refusal ? { message: refusal.message } : (found?.[1] ?? []);
    response.writeHead(refusal?.status ?? 200, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    refuse: (status, message) => (refusal = { status, message }),
    stop: () => new Promise((done) => server.close(() => done())),
  };
}

/** A webhook that says that a deployment is live. */
export function deploymentIsLive(request: APIRequestContext, url: string, secret: string): Promise<APIResponse> {
  const now = new Date().toISOString();
  const data = JSON.stringify({
    action: 'created',
    deployment_status: { state: 'success', created_at: now },
    deployment: { id: 42, sha: `9be04a7${sha.slice(7)}`, ref: 'main', environment: 'production', created_at: now },
    repository: { full_name: 'acme/support' },
  });
  const signature = createHmac('sha256', secret).update(data).digest('hex');
  return request.post(url, {
    data,
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'deployment_status',
      'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
      'x-hub-signature-256': `sha256=${signature}`,
    },
  });
}
