// What a client throws, in words to group by.

import type { StepFields } from '../step.js';
import { loose, word } from './api.js';

/** The caller's own abort, which is no failure of the provider. */
export function isAbort(error: unknown): boolean {
  const { name, message, constructor } = loose(error);
  const className = typeof constructor === 'function' ? constructor.name : '';
  return name === 'AbortError' || className === 'APIUserAbortError' || message === 'Request was aborted.';
}

export function describeFailure(error: unknown): StepFields {
  const { status, error: body, type, code, requestID, request_id: requestId } = loose(error);
  // Anthropic's body is `{ type: 'error', error: { type, message } }`; of OpenAI's the client keeps the inner one.
  const inner = loose(body)['error'] === undefined ? loose(body) : loose(loose(body)['error']);
  const found = word(inner['type']) ?? word(type) ?? word(inner['code']) ?? word(code) ?? (typeof status === 'number' ? `http_${status}` : undefined);
  const attributes: Record<string, unknown> = {};
  if (typeof status === 'number') attributes['http.response.status_code'] = status;
  const id = word(requestID) ?? word(requestId);
  if (id !== undefined) attributes['provider_request_id'] = id;
  return { ...(found === undefined ? {} : { error_class: found }), attributes };
}
