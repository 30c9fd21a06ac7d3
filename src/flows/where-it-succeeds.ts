import pLimit from 'p-limit';
import { exitCodeOf, MeshctlError } from '../mesh/errors.ts';
import type { Flow, Target } from './flow.ts';
import { firstOfErrors } from './parallel.ts';

/** A cluster that has not answered, with why. */
export interface Unanswered {
  context: string;
  error: MeshctlError;
  /** It does answer, and what was read of it keeps it from taking part: that is known to be wrong. */
  isUnusable?: boolean;
}

/** The error of one of several clusters with all rights that the user lacks there; of a cluster that is no target it stays as it is. */
export async function toldInFull(
  { inFull }: Pick<Flow, 'inFull'>,
  target: Target | undefined,
  error: MeshctlError,
): Promise<MeshctlError> {
  return (target && (await inFull?.(target, error))) ?? error;
}

/** The same of all that have failed. @param targets those that were opened: of others the error stays as it is */
export async function allInFull<T extends Unanswered>(
  flow: Pick<Flow, 'inFull'>,
  targets: readonly Target[],
  failed: readonly T[],
): Promise<T[]> {
  const targetAt = new Map(targets.map((target) => [target.client.context, target]));
  const inFull = async (one: T) => ({ ...one, error: await toldInFull(flow, targetAt.get(one.context), one.error) });
  return Promise.all(failed.map(inFull));
}

/**
 * Does something in each cluster, in parallel. A cluster where it fails is told apart; of one single cluster the error goes
 * on its way.
 * @returns in the order of the targets
 */
export async function whereItSucceeds<T>(
  flow: Pick<Flow, 'signal' | 'inFull'>,
  targets: readonly Target[],
  work: (target: Target) => Promise<T>,
  parallel = Number.POSITIVE_INFINITY,
): Promise<{ done: T[]; failed: Unanswered[] }> {
  const failed: Unanswered[] = [];
  const limit = pLimit(parallel);
  const results = await Promise.all(
    targets.map((target) =>
      limit(async (): Promise<T[]> => {
        try {
          return [await work(target)];
        } catch (error) {
          flow.signal.throwIfAborted();
          if (targets.length === 1 || !(error instanceof MeshctlError)) throw error;
          failed.push({ context: target.client.context, error: await toldInFull(flow, target, error) });
          return [];
        }
      }),
    ),
  );
  return { done: results.flat(), failed };
}

/**
 * What is only read to say more of what is known already: a cluster that does not tell it any more keeps nothing else from being said.
 * @param without what stands for it then
 * @throws what is no failure of the cluster, and whatever the signal's abortion means
 */
export async function orWithout<T>({ signal }: Pick<Flow, 'signal'>, reading: Promise<T>, without: T): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof MeshctlError) || error.code === 'Bug') throw error;
    return without;
  }
}

/**
 * Why a run does nothing for the clusters that have failed, at least one: one error; the others are said as warnings, and are
 * among its facts.
 * @param first whose it is
 */
export function firstFailure(
  flow: Pick<Flow, 'progress'>,
  failed: readonly Unanswered[],
  first = failed[0],
): MeshctlError {
  if (!first) return new MeshctlError('Bug', 'no cluster failed');
  const others = failed.filter((one) => one !== first).map(({ error }) => error);
  return firstOfErrors(flow, first.error, others, new Map(failed.map(({ context, error }) => [error, context])));
}

/** Whether a cluster cannot be reached, does not let the user in, or gives no answer: others can be asked all the same. */
export function isInaccessible({ code }: MeshctlError): boolean {
  return exitCodeOf(code) === exitCodeOf('ClusterUnreachable') || code === 'Timeout';
}

/**
 * The same for work of which clusters that cannot be accessed have no part: with `--all` a user may have rights in some of
 * them only. What else fails is thrown, and why no cluster can be accessed.
 * @param least so many must be left
 */
export async function whereAccessible<T>(
  flow: Pick<Flow, 'signal' | 'progress' | 'inFull'>,
  targets: readonly Target[],
  work: (target: Target) => Promise<T>,
  { parallel, least }: { parallel?: number | undefined; least: number },
): Promise<{ targets: Target[]; done: T[]; failed: Unanswered[] }> {
  const { done, failed } = await whereItSucceeds(flow, targets, work, parallel);
  const [first] = failed;
  const thrown = done.length < least ? first : failed.find(({ error }) => !isInaccessible(error));
  if (thrown) throw firstFailure(flow, failed, thrown);
  const isOut = ({ client }: Target) => failed.some(({ context }) => context === client.context);
  return { targets: targets.filter((target) => !isOut(target)), done, failed };
}
