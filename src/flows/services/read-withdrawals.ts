import { unlessForbidden } from '../../kube/unless-refused.ts';
import type { MeshctlError } from '../../mesh/errors.ts';
import {
  AGENT_PEERS_SECRET,
  apiserverDeploymentRef,
  configMapRef,
  REMOTE_USERS_CONFIGMAP,
} from '../../mesh/objects/names.ts';
import { peerOfUser } from '../../mesh/peers/file/peer-config.ts';
import { usersFile, usersLetIn } from '../../mesh/peers/users/remote-users.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { ClusterServices } from '../../mesh/services/service-facts.ts';
import { serviceKey } from '../../mesh/services/services.ts';
import { doubtfulStrandings, retreats, strandings, withdrawals } from '../../mesh/services/withdrawals.ts';
import type { Flow, Target } from '../flow.ts';
import type { Unanswered } from '../where-it-succeeds.ts';
import type { LostServices } from './read-lost-backends.ts';
import { type OnFailure, orNone, readServiceClusters, type ServiceCluster, unseenOf } from './read-service-clusters.ts';
import { readConfiguredServices, type ServiceScope } from './read-services.ts';

/** Runs work with clusters that are open as long as it takes, and with those that did not answer. */
export type WithOthers = <T>(
  work: (others: readonly Target[], silent: readonly Unanswered[]) => Promise<T>,
) => Promise<T>;

/**
 * What steps about Services take from whom, for the operator to agree to. Backends are read only where they hang on it. A cluster that
 * cannot be read holds nothing up: of requests from there, or wherever else it may matter, it is said that they may fail.
 * @param targets the clusters that the steps are for
 * @param withOthers runs work with the clusters that contexts lead to besides: those that steps are not for may be left without backends
 */
export async function readWithdrawals(
  flow: Flow,
  targets: readonly Target[],
  steps: readonly Step[],
  withOthers: WithOthers,
): Promise<LostServices> {
  const retreating = retreats(steps);
  if (retreating.length === 0) return { hazards: [], unseen: [] };
  return withOthers(async (others, silent) => {
    const failures = new Map<string, MeshctlError>();
    const onFailure = (context: string, error: MeshctlError) => failures.set(context, error);
    const isOwn = (context: string) => targets.some(({ client }) => client.context === context);
    const members = await membersOf(targets, others, onFailure);
    const facts = await readFacts(targets);
    const read = scopesOf(retreating).map(async (scope) => {
      const within = steps.filter(({ object }) => isWithin(object, scope));
      const found = await readConfiguredServices(members, scope, onFailure);
      const clusters = found.map((of) => ({ ...of, ...facts.get(of.context) }));
      return {
        withdrawn: withdrawals(within, clusters),
        stranded: strandings(within, clusters),
        doubtful: doubtfulStrandings(within, clusters),
        peerless: clusters.filter(({ context, peers }) => isOwn(context) && !peers).map(({ context }) => context),
      };
    });
    const found = await Promise.all(read);
    flow.signal.throwIfAborted();
    const doubtful = found.flatMap((one) => one.doubtful);
    const peerless = new Set(found.flatMap((one) => one.peerless));
    const failed = [...failures].map(([context, error]): Unanswered => ({ context, error }));
    const strangers = [...silent, ...failed.filter(({ context }) => !isOwn(context))];
    return {
      hazards: [
        ...found.flatMap(({ withdrawn }) => withdrawn),
        ...found.flatMap(({ stranded }) => stranded),
        ...doubtful,
      ],
      unseen: [
        ...failed.filter(({ context }) => isOwn(context)).map((one) => unseenOf(one, LOST)),
        ...targets.filter(({ client }) => peerless.has(client.context)).map(unseenPeers),
        ...(doubtful.length > 0 ? strangers.map((one) => unseenOf(one, PERHAPS)) : []),
      ],
    };
  });
}

const LOST = 'whether requests fail without these backends, there and elsewhere, is not known';
const PERHAPS = 'it may lead to one of the clusters that were not read';

function unseenPeers({ client: { context }, namespace }: Target): string {
  return `context "${context}": which clusters lose these backends is not known: Secret ${namespace}/${AGENT_PEERS_SECRET} may not be read`;
}

/** By context: whether a cluster has a clustermesh-apiserver, and whom it lets in by a user of their own; absent where that cannot be read. */
async function readFacts(
  targets: readonly Target[],
): Promise<Map<string, Pick<ClusterServices, 'isServing' | 'lettingIn'>>> {
  const read = targets.map(async (target): Promise<[string, Pick<ClusterServices, 'isServing' | 'lettingIn'>]> => {
    const { client, namespace } = target;
    const users = client.get(configMapRef(namespace, REMOTE_USERS_CONFIGMAP));
    const [serving, listed] = await Promise.all([
      orNone(target, client.get(apiserverDeploymentRef(namespace)).then(Boolean), () => {}),
      orNone(target, unlessForbidden(users), () => {}),
    ]);
    const names = listed.flatMap((list) => (list ? usersLetIn(usersFile(list)) : []));
    const lettingIn = names.flatMap(({ name }) => peerOfUser(name) ?? []);
    return [client.context, { ...(serving.length > 0 ? { isServing: serving[0] } : {}), lettingIn }];
  });
  return new Map(await Promise.all(read));
}

/** So many Services are read one by one, which takes no right to list; more of them in one pass of each cluster. */
const MOST_BY_NAME = 8;

/** What to read for these steps. */
export function scopesOf(steps: readonly Step[]): ServiceScope[] {
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

/** Of the others only those whose name nobody else has: which of several is the peer cannot be told by it. */
export async function membersOf(
  targets: readonly Target[],
  others: readonly Target[],
  onFailure: OnFailure,
): Promise<ServiceCluster[]> {
  const own = await readServiceClusters(targets, onFailure);
  const read = (await Promise.all(others.map((other) => readServiceClusters([other], onFailure)))).flat();
  const names = [...own, ...read].map(({ cluster }) => cluster);
  return [...own, ...read.filter(({ cluster }) => names.filter((name) => name === cluster).length === 1)];
}
