// Which tracers there are in this process.

import { onProcess } from './runtime.js';
import type { Tracing } from './scope.js';

/** What of a tracer is of interest to everybody. */
export interface Registered {
  readonly tracing: Tracing;
  readonly stats: { readonly queued: number };
  flush(options?: { timeoutMs?: number }): Promise<boolean>;
  /** Ends a request that is under way: otherwise it would hold up the end of the process. */
  giveUp(): void;
}

/** How long the end of the process waits for the server. */
export const EXIT_PATIENCE_MS = 2_000;

const registered = new Set<Registered>();
let hadOne = false;
let listens = false;

export function register(tracer: Registered): void {
  registered.add(tracer);
  hadOne = true;
  if (listens) return;
  listens = true;
  // The event comes again after each wait that it has caused; the second time there is no patience left.
  const asked = new WeakMap<Registered, number>();
  onProcess('beforeExit', () => {
    for (const each of registered) {
      const { queued } = each.stats;
      if (queued === 0 || asked.get(each) === queued) continue;
      asked.set(each, queued);
      void each.flush({ timeoutMs: EXIT_PATIENCE_MS }).then((isSent) => {
        if (!isSent) each.giveUp();
      });
    }
  });
  onProcess('exit', () => {
    let unsent = 0;
    for (const each of registered) unsent += each.stats.queued;
    if (unsent > 0) console.warn(`plumbline: ${unsent} ${unsent === 1 ? 'step was' : 'steps were'} not sent before the process ended`);
  });
}

export function unregister(tracer: Registered): void {
  registered.delete(tracer);
}

/** Whether there was any so far, also one that has been shut down. */
export function hadAny(): boolean {
  return hadOne;
}

export function firstRegistered(): Registered | undefined {
  for (const tracer of registered) return tracer;
  return undefined;
}
