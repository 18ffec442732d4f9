// What a caller can say about a step beside what is in the call itself.

/** What steps belong to. Inner labels win over outer ones; tags and attributes are joined. */
export interface Labels {
  /** Several runs of one conversation. */
  sessionId?: string;
  /** For whom it runs. */
  userId?: string;
  /** `production`, `staging`, … */
  environment?: string;
  /** The commit or version that runs. */
  release?: string;
  tags?: readonly string[];
  attributes?: Record<string, unknown>;
}

/** `_trace` of one call. It never reaches the provider. */
export interface TraceOptions extends Labels {
  /** Default: `step_1`, `step_2`, … in the order of the run. */
  stepName?: string;
  /** The prompt before its values were filled in. */
  promptTemplate?: string;
}

/**
 * Parameters of `messages.create()` with `_trace`. Wrapped clients accept `_trace` as they are; this is for parameters
 * that are written down apart from the call.
 */
export interface TracedMessageParams {
  model: string;
  max_tokens: number;
  messages: { role: 'user' | 'assistant'; content: string | any[] }[];
  stream?: false;
  _trace?: TraceOptions;
}

export function joinLabels(outer: Labels, inner: Labels | undefined): Labels {
  if (inner === undefined) return outer;
  const joined: Labels = { ...outer };
  for (const name of ['sessionId', 'userId', 'environment', 'release'] as const) {
    const value = inner[name];
    if (value !== undefined) joined[name] = value;
  }
  if (inner.tags !== undefined) joined.tags = [...(outer.tags ?? []), ...inner.tags];
  if (inner.attributes !== undefined) joined.attributes = { ...outer.attributes, ...inner.attributes };
  return joined;
}
