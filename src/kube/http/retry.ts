import { setTimeout as delay } from 'node:timers/promises';
import { errorOfAbort } from '../../mesh/errors.ts';

/** How often and how long to try again; the only place that decides it. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  attempts: number;
  /** Wait before the second attempt; it doubles from then on. */
  baseDelayMs: number;
  /** No single wait is longer, not even one that a server asks for. */
  maxDelayMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, baseDelayMs: 200, maxDelayMs: 10_000 };

/** What an attempt came to, as far as the decision needs it. */
export type AttemptOutcome =
  | { kind: 'response'; status: number; retryAfter?: string | undefined }
  | { kind: 'error'; code: string | undefined };

/** Connections that broke rather than were refused; the next attempt gets a new one. */
const BROKEN_CONNECTION: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/** @param code of Node's socket */
export function isBrokenConnection(code: unknown): boolean {
  return BROKEN_CONNECTION.has(code);
}

/**
 * How long to wait before the next attempt in milliseconds, or undefined when the outcome stands.
 * - 429, and 503 with Retry-After: the server declined before it did anything, so every request may be repeated.
 * - 500, 502, 503, 504 and broken connections: only what is idempotent.
 * - 409 never: whoever asked must look again.
 * `attempt` counts from 1. `random` is in [0, 1) and spreads clients that failed together.
 */
export function retryDelayMs(
  outcome: AttemptOutcome,
  options: { attempt: number; idempotent: boolean; policy: RetryPolicy; random?: number },
): number | undefined {
  const { attempt, idempotent, policy, random = Math.random() } = options;
  if (attempt >= policy.attempts) return undefined;
  const backoffMs = Math.min(policy.baseDelayMs * 2 ** (attempt - 1), policy.maxDelayMs) * (0.75 + random / 2);
  if (outcome.kind === 'error') {
    return idempotent && isBrokenConnection(outcome.code) ? backoffMs : undefined;
  }
  const askedMs = retryAfterMs(outcome.retryAfter);
  if (outcome.status === 429 || (outcome.status === 503 && askedMs !== undefined)) {
    return Math.min(askedMs ?? backoffMs, policy.maxDelayMs);
  }
  return idempotent && [500, 502, 503, 504].includes(outcome.status) ? backoffMs : undefined;
}

/** Retry-After in seconds; the API server never sends a date. */
function retryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}

/** Waits. Throws what an aborted signal means: `Interrupted` or `Timeout`. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    throw errorOfAbort(signal);
  }
}
