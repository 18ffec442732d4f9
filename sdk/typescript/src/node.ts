// The entry for Node, Bun and Deno, which have these modules. Elsewhere `index.ts` is the entry.

import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

import { runtime } from './runtime.js';

runtime.asyncStorage = AsyncLocalStorage;
runtime.randomUuid = randomUUID;

export * from './index.js';
