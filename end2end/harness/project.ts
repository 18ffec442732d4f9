// A project of a test's own, so that what one test stores is no other test's surprise.

import type { APIRequestContext } from '@playwright/test';
import { expect } from '@playwright/test';

import { ingestInto, type Ingest } from './ingest';

export interface Project {
  /** Its word in addresses. */
  readonly slug: string;
  /** A key that may do what a new key may, labelled `e2e`. */
  readonly key: string;
  /** The address of one of its pages: `at('runs')`; of its overview for ''. */
  at(page: string): string;
  /** Stores steps in it. */
  ingest: Ingest;
  /** Makes another key and returns its secret. */
  makeKey(label: string): Promise<string>;
}

let projects = 0;

/** Makes a project through the same forms that people use. */
export async function makeProject(request: APIRequestContext, url: string, name?: string): Promise<Project> {
  const wanted = name ?? `Project ${(projects += 1)} ${Date.now()}`;
  const made = await request.post(`${url}/projects`, { form: { name: wanted }, maxRedirects: 0 });
  expect(made.status(), await made.text()).toBe(303);
  const slug = new URL(made.headers().location ?? '', url).pathname.split('/').pop() ?? '';
  const makeKey = async (label: string) => {
    const body = new URLSearchParams({ label });
    for (const scope of ['ingest', 'proxy', 'read', 'deploy']) body.append('scope', scope);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const page = await request.post(`${url}/p/${slug}/settings/keys`, { data: body.toString(), headers });
    const secret = /pl_live_[0-9A-Za-z]{40,}/.exec(await page.text())?.[0];
    if (secret === undefined) throw new Error(`no key on ${page.url()}`);
    return secret;
  };
  const key = await makeKey('e2e');
  return { slug, key, at: (page) => (page === '' ? `/p/${slug}` : `/p/${slug}/${page}`), ingest: ingestInto(request, url, key), makeKey };
}
