// Which pages the tests visit: a page that nobody has opened in a browser may not work.

import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { Page } from '@playwright/test';

import { artifacts, repository } from './server';

const file = join(artifacts, 'visited.txt');

export function forgetVisits(): void {
  rmSync(file, { force: true });
}

/** Writes down each path that the page asks for or arrives at. */
export function recordVisits(page: Page): void {
  const record = (url: string) => {
    if (!url.startsWith('http')) return;
    mkdirSync(artifacts, { recursive: true });
    appendFileSync(file, `${new URL(url).pathname}\n`);
  };
  // A page that leads on to another one is asked for and never arrived at.
  page.on('request', (request) => {
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) record(request.url());
  });
  page.on('framenavigated', (frame) => {
    if (frame === page.mainFrame()) record(frame.url());
  });
}

/** Routes of app/src/shell.rs that no recorded path matches. */
export function routesNotVisited(): string[] {
  const shell = readFileSync(join(repository, 'app/src/shell.rs'), 'utf8');
  const visited = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  let parent = '';
  const routes: string[] = [];
  for (const [, kind, path = ''] of shell.matchAll(/<(ParentRoute|Route|\/ParentRoute)\b(?:\s+path=path!\("([^"]*)"\))?/g)) {
    if (kind === 'ParentRoute') parent = path;
    else if (kind === 'Route') routes.push(path.startsWith('/') ? path : `${parent}/${path}`);
    else parent = '';
  }
  if (routes.length < 10) throw new Error(`the routes of app/src/shell.rs were not found: ${routes.join(', ')}`);
  return routes.filter((route) => {
    const pattern = new RegExp(`^${route.replace(/\/$/, '').replace(/:\w+/g, '[^/]+')}/?$`);
    return !visited.some((path) => pattern.test(path));
  });
}
