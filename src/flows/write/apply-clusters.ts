import pLimit from 'p-limit';
import type { Journal } from '../../kube/apply.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { isChange, type ReadyWrite, type Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { allOrFirstError } from '../parallel.ts';
import { writeSteps } from './write-steps.ts';

/**
 * The writes of a run that has several parts, each of which could run for itself: what keeps it takes all of them back when
 * one part fails, so the parts take nothing back.
 */
export interface RunAccount {
  journals: Journal[];
  /** By which it says that it is at work; absent where nothing of it is taken back. */
  run?: string | undefined;
}

/** Writes to several clusters at once, and the account of it for a rollback. */
export interface ClusterWriter {
  readonly journals: readonly Journal[];
  /** Those that were carried out, `keep` included. */
  readonly steps: readonly Step[];
  /**
   * Applies each cluster's steps in their order, clusters in parallel, then does `after` where something changed. Once one fails,
   * none is begun any more: nothing of it is to stand. All of it has ended when it throws, so that nothing is written after the
   * rollback.
   */
  write(
    steps: readonly Step[],
    ready: (step: Step) => Promise<ReadyWrite>,
    after: (target: Target) => Promise<void>,
  ): Promise<void>;
}

/** The clusters that steps change something in. */
export function targetsOfSteps(targets: readonly Target[], steps: readonly Step[]): Target[] {
  const changed = new Set(steps.filter(isChange).map(({ cluster }) => cluster));
  return targets.filter(({ client }) => changed.has(client.context));
}

/**
 * @param parallel clusters at a time
 * @param account of a run of several parts; absent: the writes are all of it
 */
export function createClusterWriter(
  flow: Flow,
  targets: readonly Target[],
  parallel: number,
  { journals }: RunAccount = { journals: [] },
): ClusterWriter {
  const done: Step[] = [];
  const limit = pLimit(parallel);
  const byContext = new Map<string, Target>();
  for (const target of targets) {
    const { context } = target.client;
    const other = byContext.get(context);
    // Steps name their cluster by its context.
    if (other && other.client.server !== target.client.server) {
      throw new MeshctlError('Bug', `two clusters take part in this as context "${context}"`);
    }
    byContext.set(context, other ?? target);
  }

  async function writeCluster(
    target: Target,
    steps: readonly Step[],
    ready: (step: Step) => Promise<ReadyWrite>,
    after: (target: Target) => Promise<void>,
  ): Promise<void> {
    const { journal, error } = await writeSteps(flow, target.client, steps, { materialise: ready });
    journals.push(journal);
    if (error) throw error;
    done.push(...steps);
    if (steps.some(isChange)) await after(target);
  }

  return {
    journals,
    steps: done,
    async write(steps, ready, after) {
      const contexts = [...new Set(steps.map(({ cluster }) => cluster))];
      let hasFailed = false;
      const work = contexts.map((context) => {
        const target = byContext.get(context);
        if (!target) throw new MeshctlError('Bug', `context "${context}" takes no part in this`);
        const own = steps.filter(({ cluster }) => cluster === context);
        return limit(async () => {
          if (hasFailed) return;
          await writeCluster(target, own, ready, after).catch((error: unknown) => {
            hasFailed = true;
            throw error;
          });
        });
      });
      await allOrFirstError(work, flow.progress);
    },
  };
}
