import { errorOfAbort } from '../../mesh/errors.ts';

/** A login that all requests of a client share. */
export interface SharedLogin<T> {
  /**
   * The login, got by the first who asks and kept for all. Getting it ends when nobody waits for it any more.
   * @throws what getting it throws, also for who asks soon after; what the signal's abortion means
   */
  get(signal: AbortSignal): Promise<T>;
  /** Forgets what was refused. False where another one has just been got in its place, and is refused as well. */
  renew(refused: T): boolean;
  /** Lets the next who asks try again, however soon that is. */
  tryAgain(): void;
}

/**
 * How long a failure stands. A cluster is asked hundreds of things in a run, and an identity provider that counts failures
 * locks the account; later, the user may have logged in again.
 */
const STANDS_MS = 10_000;

interface Attempt<T> {
  login: Promise<T>;
  ending: AbortController;
  waiting: number;
  /** Got in place of one that was refused. */
  isRenewal: boolean;
  got?: T;
  endedAtMs?: number;
  failed?: boolean;
}

/**
 * @param obtain gets a login, until its signal is aborted
 * @param ms the time
 */
export function shareLogin<T>(obtain: (signal: AbortSignal) => Promise<T>, ms: () => number): SharedLogin<T> {
  let current: Attempt<T> | undefined;
  let isRenewal = false;

  function begin(): Attempt<T> {
    const ending = new AbortController();
    const attempt: Attempt<T> = { login: obtain(ending.signal), ending, waiting: 0, isRenewal };
    isRenewal = false;
    attempt.login.then(
      (login) => Object.assign(attempt, { got: login, endedAtMs: ms() }),
      () => Object.assign(attempt, { failed: true, endedAtMs: ms() }),
    );
    return attempt;
  }

  const isFresh = ({ endedAtMs }: Attempt<T>) => endedAtMs !== undefined && ms() - endedAtMs < STANDS_MS;

  return {
    async get(signal) {
      if (signal.aborted) throw errorOfAbort(signal);
      if (current?.failed && !isFresh(current)) current = undefined;
      current ??= begin();
      const attempt = current;
      attempt.waiting++;
      try {
        return await abortable(attempt.login, signal);
      } finally {
        attempt.waiting--;
        if (attempt.waiting === 0 && attempt.endedAtMs === undefined) {
          if (current === attempt) current = undefined;
          attempt.ending.abort(signal.reason);
        }
      }
    },
    renew(refused) {
      // Of several requests refused together, the first one renews for all.
      if (current?.got !== refused) return true;
      if (current.isRenewal && isFresh(current)) return false;
      current = undefined;
      isRenewal = true;
      return true;
    },
    tryAgain() {
      if (current?.failed) current = undefined;
      else if (current) current.isRenewal = false;
    },
  };
}

/** Stops waiting when the signal is aborted. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(errorOfAbort(signal));
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
