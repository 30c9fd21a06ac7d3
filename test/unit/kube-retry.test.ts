import { describe, expect, test } from 'vitest';
import { type AttemptOutcome, retryDelayMs, sleep } from '../../src/kube/http/retry.ts';

const policy = { attempts: 4, baseDelayMs: 100, maxDelayMs: 300 };

function delay(outcome: AttemptOutcome, { attempt = 1, idempotent = true } = {}): number | undefined {
  return retryDelayMs(outcome, { attempt, idempotent, policy, random: 0.5 });
}

const response = (status: number, retryAfter?: string): AttemptOutcome => ({ kind: 'response', status, retryAfter });
const error = (code: string | undefined): AttemptOutcome => ({ kind: 'error', code });

describe('what is tried again', () => {
  test.each([200, 201, 400, 401, 403, 404, 409, 410, 422])('%i stands', (status) => {
    expect(delay(response(status))).toBeUndefined();
  });

  test.each([500, 502, 503, 504])('%i is tried again only if that is harmless', (status) => {
    expect(delay(response(status))).toBe(100);
    expect(delay(response(status), { idempotent: false })).toBeUndefined();
  });

  test.each([429, 503])('%i with Retry-After is tried again in any case, after that time', (status) => {
    expect(delay(response(status, '0'), { idempotent: false })).toBe(0);
  });

  test('429 without Retry-After too', () => {
    expect(delay(response(429), { idempotent: false })).toBe(100);
  });

  test('409 never, whatever it asks for', () => {
    expect(delay(response(409, '1'))).toBeUndefined();
  });

  test.each(['ECONNRESET', 'EPIPE', 'ECONNABORTED'])('%s is tried again only if that is harmless', (code) => {
    expect(delay(error(code))).toBe(100);
    expect(delay(error(code), { idempotent: false })).toBeUndefined();
  });

  test.each(['ECONNREFUSED', 'ENOTFOUND', 'CERT_HAS_EXPIRED', undefined])('%s stands', (code) => {
    expect(delay(error(code))).toBeUndefined();
  });
});

describe('how long', () => {
  test('doubles up to the limit, then gives up', () => {
    expect([1, 2, 3, 4].map((attempt) => delay(response(500), { attempt }))).toEqual([100, 200, 300, undefined]);
  });

  test('a server cannot make it wait longer than the limit', () => {
    expect(delay(response(429, '3600'))).toBe(300);
  });

  test('a date in Retry-After is not understood and counts as none', () => {
    expect(delay(response(503, 'Wed, 21 Oct 2026 07:28:00 GMT'), { idempotent: false })).toBeUndefined();
  });

  test('clients that failed together come back apart', () => {
    const at = (random: number) => retryDelayMs(response(500), { attempt: 1, idempotent: true, policy, random });
    expect([at(0), at(0.999)]).toEqual([75, expect.closeTo(125, 0)]);
  });
});

describe('sleep', () => {
  test('ends with Interrupted when the signal is aborted', async () => {
    const stop = new AbortController();
    const sleeping = sleep(60_000, stop.signal);
    stop.abort();
    await expect(sleeping).rejects.toMatchObject({ code: 'Interrupted' });
  });

  test('ends with Timeout when its time is over', async () => {
    await expect(sleep(60_000, AbortSignal.timeout(1))).rejects.toMatchObject({ code: 'Timeout' });
  });
});
