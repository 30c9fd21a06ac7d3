import { setMaxListeners } from 'node:events';

/** A signal that follows others until it is let go. */
export interface LinkedSignal {
  signal: AbortSignal;
  /** Aborts it for a reason of its own, e.g. that its time is up. */
  abort(reason: unknown): void;
  /** Stops following. Whoever made the link calls it when the work under the signal has ended. */
  unlink(): void;
}

/** At a signal that was linked: the first that it follows. */
const FOLLOWED = Symbol('followed');

/**
 * A signal that is aborted with the first of these, for the same reason. `AbortSignal.any` would do the same, but each one
 * that it makes stays known to its sources, and the signal of a command lives as long as `--watch` runs.
 * @param sources the first is that of the work, others limit it
 */
export function linkSignals(...sources: readonly AbortSignal[]): LinkedSignal {
  const linked = new AbortController();
  const follow = ({ target }: Event): void => abort((target as AbortSignal).reason);
  const unlink = (): void => {
    for (const source of sources) source.removeEventListener('abort', follow);
  };
  const abort = (reason: unknown): void => {
    unlink();
    linked.abort(reason);
  };
  // Many requests at once are no leak: each one unlinks.
  setMaxListeners(0, ...sources);
  const aborted = sources.find((source) => source.aborted);
  if (aborted) abort(aborted.reason);
  else for (const source of sources) source.addEventListener('abort', follow);
  return { signal: Object.assign(linked.signal, { [FOLLOWED]: sources[0] }), abort, unlink };
}

/** The signal of the work that a signal, linked by whoever has a part in it, belongs to. */
export function signalOfWork(signal: AbortSignal & { [FOLLOWED]?: AbortSignal | undefined }): AbortSignal {
  const followed = signal[FOLLOWED];
  return followed ? signalOfWork(followed) : signal;
}

/** A signal that ends a wait. @param ms also a fraction, as what is left until a deadline is; Node's own takes none */
export function timeoutSignal(ms: number): AbortSignal {
  return AbortSignal.timeout(Math.max(0, Math.ceil(ms)));
}
