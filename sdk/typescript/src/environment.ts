// What the process's environment says about where and what runs.

import type { Labels } from './labels.js';
import { environmentVariable } from './runtime.js';

/** Where hosters and build systems write the commit that runs. The first that is set wins. */
const RELEASE_VARIABLES = [
  'PLUMBLINE_RELEASE',
  'VERCEL_GIT_COMMIT_SHA',
  'RENDER_GIT_COMMIT',
  'RAILWAY_GIT_COMMIT_SHA',
  'HEROKU_BUILD_COMMIT',
  'HEROKU_SLUG_COMMIT',
  'CF_PAGES_COMMIT_SHA',
  'COMMIT_REF', // Netlify
  'SOURCE_COMMIT',
  'GITHUB_SHA',
  'CI_COMMIT_SHA',
  'GIT_COMMIT',
  'GIT_SHA',
  'COMMIT_SHA',
  'SENTRY_RELEASE',
];

const ENVIRONMENT_VARIABLES = [
  'PLUMBLINE_ENVIRONMENT',
  'VERCEL_ENV',
  'RAILWAY_ENVIRONMENT_NAME',
  'SENTRY_ENVIRONMENT',
  'APP_ENV',
  'NODE_ENV',
];

export function labelsOfEnvironment(): Labels {
  const release = first(RELEASE_VARIABLES);
  const environment = first(ENVIRONMENT_VARIABLES);
  return { ...(release === undefined ? {} : { release }), ...(environment === undefined ? {} : { environment }) };
}

function first(names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = environmentVariable(name);
    if (value !== undefined) return value;
  }
  return undefined;
}
