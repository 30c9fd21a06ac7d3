import { apiserverDeploymentRef } from '../../mesh/objects/names.ts';
import type { Hazard } from '../../mesh/plan/agreement.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { serviceKey } from '../../mesh/services/services.ts';
import { retreats, strandings, withdrawals } from '../../mesh/services/withdrawals.ts';
import type { Flow, Target } from '../flow.ts';
import {
  orNone,
  readConfiguredServices,
  readServiceClusters,
  type ServiceCluster,
  type ServiceScope,
} from './read-services.ts';

/**
 * What steps about Services take from whom, for the operator to agree to. Backends are read only where they hang on it, and a
 * cluster that they cannot be read of is left out: it is not known then who is left without any.
 * @param targets the clusters that the steps are for
 * @param withOthers runs work with the clusters that contexts lead to besides: those that steps are not for may be left without backends
 */
export async function readWithdrawals(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
  withOthers: WithOthers,
): Promise<Hazard[]> {
  const retreating = retreats(steps);
  if (retreating.length === 0) return [];
  return withOthers(async (others) => {
    const members = await membersOf(targets, others);
    const serving = await readServing(targets);
    const read = scopesOf(retreating).map(async (scope) => {
      const within = steps.filter(({ object }) => isWithin(object, scope));
      const found = await readConfiguredServices(members, scope, ignore);
      const clusters = found.map((of) => ({ ...of, isServing: serving.get(of.context) }));
      return { withdrawn: withdrawals(within, clusters), stranded: strandings(within, clusters) };
    });
    const hazards = await Promise.all(read);
    flow.signal.throwIfAborted();
    return [...hazards.flatMap(({ withdrawn }) => withdrawn), ...hazards.flatMap(({ stranded }) => stranded)];
  });
}

/** By context: whether a cluster has a clustermesh-apiserver; absent where that cannot be read. */
async function readServing(targets: readonly Target[]): Promise<Map<string, boolean>> {
  const read = targets.map(async (target): Promise<[string, boolean][]> => {
    const { client, namespace } = target;
    const isServing = await orNone(target, client.get(apiserverDeploymentRef(namespace)).then(Boolean), ignore);
    return isServing.map((is) => [client.context, is]);
  });
  return new Map((await Promise.all(read)).flat());
}

/** So many Services are read one by one, which takes no right to list; more of them in one pass of each cluster. */
const MOST_BY_NAME = 8;

function scopesOf(steps: readonly Step[]): ServiceScope[] {
  const named = new Map(
    steps.map(({ object: { namespace = '', name } }) => [serviceKey({ namespace, name }), { namespace, name }]),
  );
  if (named.size <= MOST_BY_NAME) return [...named.values()];
  const [namespace, ...more] = new Set([...named.values()].map((one) => one.namespace));
  return [more.length === 0 ? { namespace } : {}];
}

function isWithin(object: Step['object'], { namespace, name }: ServiceScope): boolean {
  return (namespace ?? object.namespace) === object.namespace && (name ?? object.name) === object.name;
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
