import type { Hazard } from '../../mesh/plan/agreement.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { serviceKey } from '../../mesh/services/services.ts';
import { retreats, strandings, withdrawals } from '../../mesh/services/withdrawals.ts';
import type { Flow, Target } from '../flow.ts';
import { readConfiguredServices, readServiceClusters, type ServiceCluster } from './read-services.ts';

/**
 * What steps about Services take from whom, for the operator to agree to. Backends are read only where they hang on it, and a
 * cluster that they cannot be read of is left out: it is not known then who is left without any.
 * @param targets the clusters that the steps are for
 * @param readOthers runs work with the clusters that contexts lead to besides; absent: they are not looked at
 */
export async function readWithdrawals(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
  withOthers: WithOthers = (work) => work([]),
): Promise<Hazard[]> {
  const retreating = retreats(steps);
  if (retreating.length === 0) return [];
  const objects = new Map(
    retreating.map(({ object: { namespace = '', name } }) => [serviceKey({ namespace, name }), { namespace, name }]),
  );
  const stranded = await withOthers(async (others) => {
    const members = await membersOf(targets, others);
    const read = [...objects.values()].map(async (scope) =>
      strandings(
        steps.filter(({ object }) => object.namespace === scope.namespace && object.name === scope.name),
        await readConfiguredServices(flow, members, scope, ignore),
      ),
    );
    return (await Promise.all(read)).flat();
  });
  return [...withdrawals(steps), ...stranded];
}

/** Runs work with clusters that are open as long as it takes. */
export type WithOthers = <T>(work: (others: readonly Target[]) => Promise<T>) => Promise<T>;

const ignore = () => {};

/** Of the others only those whose name nobody else has: which of several is the peer cannot be told by it. */
async function membersOf(targets: readonly Target[], others: readonly Target[]): Promise<ServiceCluster[]> {
  const own = await readServiceClusters(targets, ignore);
  const read = (await Promise.all(others.map((other) => readServiceClusters([other], ignore)))).flat();
  const names = [...own, ...read].map(({ cluster }) => cluster);
  return [...own, ...read.filter(({ cluster }) => names.filter((name) => name === cluster).length === 1)];
}
