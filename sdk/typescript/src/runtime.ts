// What differs between Node, Bun, Deno, browsers and edge runtimes. `node.ts` fills in what has to be imported there.

/** As `AsyncLocalStorage` has it: a value that follows asynchronous calls. */
export interface ContextStorage<T> {
  getStore(): T | undefined;
  run<R>(value: T, fn: () => R): R;
}

type ContextStorageClass = new <T>() => ContextStorage<T>;

/** The part of Node's `process` that is used where it exists. */
interface ProcessLike {
  env?: Record<string, string | undefined>;
  on?(event: string, listener: () => void): unknown;
  getBuiltinModule?(name: string): { AsyncLocalStorage?: ContextStorageClass } | undefined;
}

const globals = globalThis as { process?: ProcessLike; AsyncLocalStorage?: ContextStorageClass; crypto?: Crypto };

/** Where nothing follows asynchronous calls: the value is known until the first `await` of `fn`. */
class SynchronousStorage<T> implements ContextStorage<T> {
  #value: T | undefined;

  getStore(): T | undefined {
    return this.#value;
  }

  run<R>(value: T, fn: () => R): R {
    const outer = this.#value;
    this.#value = value;
    try {
      return fn();
    } finally {
      this.#value = outer;
    }
  }
}

interface Runtime {
  /** `undefined` until it is known that there is none to import. */
  asyncStorage: ContextStorageClass | undefined;
  randomUuid: () => string;
}

export const runtime: Runtime = {
  asyncStorage: undefined,
  randomUuid: () => globals.crypto?.randomUUID?.() ?? uuidOf(() => Math.floor(Math.random() * 256)),
};

/** A version 4 UUID of random bytes. */
function uuidOf(byte: () => number): string {
  const bytes = Array.from({ length: 16 }, byte);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.map((each) => each.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function createContextStorage<T>(): ContextStorage<T> {
  const found = runtime.asyncStorage ?? globals.AsyncLocalStorage ?? builtin();
  return found === undefined ? new SynchronousStorage<T>() : new found<T>();
}

function builtin(): ContextStorageClass | undefined {
  try {
    return globals.process?.getBuiltinModule?.('node:async_hooks')?.AsyncLocalStorage;
  } catch {
    return undefined; // Deno asks for permissions, workers may have no such module.
  }
}

/** An environment variable that is set and not blank. Deno may refuse to tell. */
export function environmentVariable(name: string): string | undefined {
  try {
    return globals.process?.env?.[name]?.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Calls `listener` when the process has nothing left to do (`beforeExit`) or ends (`exit`); nowhere else. */
export function onProcess(event: 'beforeExit' | 'exit', listener: () => void): void {
  globals.process?.on?.(event, listener);
}

/** A timer that keeps no process alive. */
export function backgroundTimer(fn: () => void, milliseconds: number): ReturnType<typeof setTimeout> {
  const timer = setTimeout(fn, milliseconds);
  (timer as { unref?: () => void }).unref?.();
  return timer;
}
