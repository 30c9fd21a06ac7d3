import { MeshctlError } from '../../mesh/errors.ts';
import { type UnreachableCluster, unreachableCluster } from '../../mesh/status/mesh-status.ts';
import type { PolledCluster } from '../../mesh/status/standing-status.ts';
import type { Flow, Target } from '../flow.ts';
import { readRuns } from '../read-runs.ts';
import { lateWords, untilQuiet } from '../until-quiet.ts';
import { toldInFull } from '../where-it-succeeds.ts';
import { type PollOptions, pollStatus } from './poll-status.ts';

/** What the agents of several clusters said, before it is judged by what is configured. */
export interface Poll {
  polled: PolledCluster[];
  unreachable: UnreachableCluster[];
}

/**
 * Asks all clusters at once. Of one single cluster an error goes on its way; of several it becomes part of the result.
 * @param mayPass whether one is part of the result of a single cluster too
 */
export async function pollAll(
  flow: Flow,
  targets: readonly Target[],
  options: Omit<PollOptions, 'onProgress'>,
  onProgress: (answered: number, total: number) => void = () => undefined,
  mayPass: (error: MeshctlError) => boolean = () => false,
): Promise<Poll> {
  const counts = targets.map(() => ({ answered: 0, total: 0 }));
  const looks = await Promise.all(
    targets.map((target, index) =>
      pollOne(
        flow,
        target,
        {
          ...options,
          onProgress(answered, total) {
            counts[index] = { answered, total };
            const sum = (key: 'answered' | 'total') => counts.reduce((all, count) => all + count[key], 0);
            onProgress(sum('answered'), sum('total'));
          },
        },
        (error) => targets.length > 1 || mayPass(error),
      ),
    ),
  );
  return pollOf(looks);
}

/** @param isPart whether that a cluster does not answer is part of the result */
async function pollOne(
  flow: Flow,
  target: Target,
  options: PollOptions,
  isPart: (error: MeshctlError) => boolean,
): Promise<PolledCluster | UnreachableCluster> {
  try {
    const [polled, seen] = await Promise.all([pollStatus(flow, target, options), readRuns(flow, target)]);
    return { ...polled, report: { ...polled.report, ...seen } };
  } catch (error) {
    flow.signal.throwIfAborted();
    if (!(error instanceof MeshctlError) || !isPart(error)) throw error;
    return unreachableCluster(target.client.context, await toldInFull(flow, target, error));
  }
}

function pollOf(looks: readonly (PolledCluster | UnreachableCluster)[]): Poll {
  return {
    polled: looks.filter((look) => 'report' in look),
    unreachable: looks.filter((look) => 'code' in look),
  };
}

/** @returns what asks all clusters, and leaves one that is late to the next time: it is still being asked by then */
export function watchful(
  flow: Flow,
  targets: readonly Target[],
  options: Omit<PollOptions, 'onProgress' | 'redial'>,
  silent: readonly UnreachableCluster[],
): () => Promise<Poll> {
  const asked = new Map<string, Promise<PolledCluster | UnreachableCluster>>();
  const lost = new Map(silent.map((cluster) => [cluster.context, cluster]));
  const contexts = targets.map(({ client }) => client.context);
  return async () => {
    const work = targets.map((target) => {
      const { context } = target.client;
      const asking =
        asked.get(context) ??
        pollOne(flow, target, { ...options, redial: true }, (error) => targets.length > 1 || isPassing(error));
      asked.set(context, asking);
      return asking;
    });
    const isLost = (index: number) => lost.has(contexts[index] ?? '');
    const looks = await untilQuiet(flow, work, (look) => 'report' in look, isLost);
    return pollOf(
      contexts.map((context, index) => {
        const look = looks[index];
        if (!look) return lost.get(context) ?? noAnswerYet(context);
        asked.delete(context);
        if ('code' in look) lost.set(context, look);
        else lost.delete(context);
        return look;
      }),
    );
  };
}

function noAnswerYet(context: string): UnreachableCluster {
  return { context, code: 'Timeout', message: lateWords(context) };
}

/** Whether a cluster may answer at the next look. */
export function isPassing({ code }: Pick<MeshctlError, 'code'>): boolean {
  return ['ClusterUnreachable', 'ApiFailure', 'Timeout', 'ExecFailed'].includes(code);
}
