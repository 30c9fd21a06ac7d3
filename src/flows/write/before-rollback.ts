import type { Journal } from '../../kube/apply.ts';
import type { ClusterClient } from '../../kube/client.ts';
import { type Outlast, outlasting, WRITE_OUTAGE } from '../../kube/outlast.ts';
import type { Direction } from '../../mesh/connect/direction.ts';
import { MeshctlError, mayAnswerLater } from '../../mesh/errors.ts';

const LOOK_TIMEOUT_MS = 60_000;

/** Of one that was silent for all of its time already: whoever is back answers at once. */
const ONCE_MORE_MS = 5_000;

type Asked = Pick<ClusterClient, 'clock'>;

/** How long one cluster is waited for by all that a rollback asks of it, before it and in it. */
interface Patience {
  outlast: Outlast;
  /** Of whoever asks. */
  onOutage?: (() => void) | undefined;
  isSpent: boolean;
}

const patiences = new WeakMap<Asked, Patience>();

function patienceWith(client: Asked): Patience {
  const known = patiences.get(client);
  if (known) return known;
  const outlast = outlasting(client.clock, { ...WRITE_OUTAGE, onOutage: () => patience.onOutage?.() });
  const patience: Patience = { outlast, isSpent: false };
  patiences.set(client, patience);
  return patience;
}

/**
 * What has to be known of a cluster before anything is rolled back, also after Ctrl-C. An API server that restarts, which may be why there
 * is something to roll back, is back by then: of one that stays silent all is left, and of a pair one cluster may dial the other alone.
 * All that asks so shares the time of a cluster, and those that are away are to be asked side by side: nothing is rolled back before.
 * @param onOutage told when it does not answer
 */
export async function askedBeforeRollback<T>(
  client: Asked,
  ask: (signal: AbortSignal) => Promise<T>,
  onOutage?: () => void,
): Promise<T> {
  const patience = patienceWith(client);
  const signal = AbortSignal.timeout(patience.isSpent ? ONCE_MORE_MS : LOOK_TIMEOUT_MS);
  patience.onOutage = onOutage;
  try {
    const answer = await patience.outlast(() => ask(signal), signal);
    patience.isSpent = false;
    return answer;
  } catch (error) {
    patience.isSpent = error instanceof MeshctlError && mayAnswerLater(error);
    throw error;
  }
}

/** What is left of a cluster's time, for what is asked in the rollback. */
export function outlastInRollback(client: Asked, onOutage: () => void): Outlast {
  const patience = patienceWith(client);
  patience.onOutage = onOutage;
  return patience.outlast;
}

/** Whether a cluster was silent until its time was over. */
export function wasSilent(client: Asked): boolean {
  return patiences.get(client)?.isSpent === true;
}

/** The clusters on which a rollback hangs: those in which anything was written, and whoever is to be connected with one of them. */
export function concernedByRollback(
  journals: readonly Journal[],
  directions: readonly Direction[] = [],
): ReadonlySet<string> {
  const written = new Set(journals.filter(({ entries }) => entries.length > 0).map(({ cluster }) => cluster));
  const pairs = directions.map(({ client, server }) => [client.snapshot.context, server.snapshot.context]);
  return new Set([...written, ...pairs.filter((pair) => pair.some((context) => written.has(context))).flat()]);
}
