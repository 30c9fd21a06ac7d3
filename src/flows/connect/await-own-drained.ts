import pLimit from 'p-limit';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { firstOf } from '../../mesh/counted.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { apiserverDeploymentRef, SYNCED_PREFIX } from '../../mesh/objects/names.ts';
import { clusterKnownAs, contextOfPeer } from '../../mesh/peers/concerned-peers.ts';
import { configuredPeers, kvstoremeshDials } from '../../mesh/peers/peers.ts';
import { inWordsWhereUnled } from '../../mesh/peers/peers-of-others.ts';
import { replacesPods } from '../../mesh/peers/restarts/restart-effects.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { readyPods, untilSettled } from '../etcd/ask-etcd.ts';
import { readClusterConfigs, readOwnKeys } from '../etcd/read-own-keys.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { DRAINED_WITHIN_MS, LOOK_INTERVAL_MS, RETAKEN } from './await-drained.ts';

/** Whether these steps replace the pods of a cluster's clustermesh-apiserver. */
export function replacesApiserver({ context, namespace }: ClusterSnapshot, steps: readonly Step[]): boolean {
  const ref = keyOf(apiserverDeploymentRef(namespace));
  return steps.some((step) => step.cluster === context && keyOf(step.object) === ref && replacesPods(step));
}

interface OwnDrainedOptions {
  waitMs: number;
  /** Clusters that were read with it. */
  others?: readonly ClusterSnapshot[] | undefined;
  /** Reads clusters that were not, of which a peer's context is to be named. */
  readOthers?: (() => Promise<readonly ClusterSnapshot[]>) | undefined;
  /** Who is to be dialled; default: by the files that are there. */
  peers?: readonly string[] | undefined;
  /** Each time that it looks: throws where there is nothing to be waited for any more. */
  look?: (() => Promise<void>) | undefined;
}

/**
 * Waits, before the pods of a clustermesh-apiserver are replaced, until its KVStoreMesh can take up again the peers that it is to dial.
 * One that was disconnected and connected again within three minutes still lets go of such a peer, as the peer mostly does of this
 * cluster, and until then neither uses the other. A new pod holds on to nothing and takes the peer up at once: requests would go to pods
 * of the peer that have no way back before it is through with its own. Where an etcd cannot be asked, nothing is known, and nothing waited for.
 * @returns undefined where nothing was to be waited for; else what is still held at the end, as a warning to be given
 */
export async function awaitOwnDrained(
  flow: Flow,
  target: Target,
  snapshot: ClusterSnapshot,
  { waitMs, others = [], readOthers, peers = configuredPeers(snapshot), look = async () => {} }: OwnDrainedOptions,
): Promise<string[] | undefined> {
  if (peers.length === 0 || !kvstoremeshDials(snapshot)) return undefined;
  const held = await orWithout(flow, drainedPeers(flow, target, snapshot, peers), undefined);
  if (!held || held.length === 0) return undefined;
  const { context } = target.client;
  const deadline = flow.clock.ms() + Math.min(waitMs, DRAINED_WITHIN_MS);
  const left = await during(
    flow,
    {
      doing: `${context}: waiting, before its pods are replaced, until KVStoreMesh has dropped what it had of ${firstOf(held)}, ${RETAKEN}`,
      done: (still) =>
        `${context}: KVStoreMesh ${still.length === 0 ? 'has dropped' : 'still holds'} what it had of ${firstOf(held)}`,
      good: (still) => still.length === 0,
    },
    () =>
      untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
        await look();
        const still = await drainedPeers(flow, target, snapshot, held);
        return last ? (still ?? held) : still?.length === 0 ? still : undefined;
      }),
  );
  if (left.length === 0) return [];
  const says =
    `${context}: KVStoreMesh still holds what it had of ${firstOf(left)}, which new pods take up again at once: until the other side has ` +
    `dropped what it had of this cluster too, ${RETAKEN}, requests from here to pods there get no answer`;
  const isRead = left.every((peer) => clusterKnownAs(peer, others));
  const read = isRead || !readOthers ? others : [...others, ...(await readOthers())];
  const where = left.map((peer) => contextOfPeer(peer, read));
  const line = meshctlCommand('clustermesh status', { context: [context, ...where] }, ['--wait']);
  return [readOthers ? inWordsWhereUnled(`${says} → ${line}`) : `${says} → ${line}`];
}

/**
 * The same in each cluster in which these steps replace the pods: where a host name goes or comes for which Cilium needs hostAliases.
 * @param options.peersOf who is to be dialled once that is done
 * @param options.look as that of {@link OwnDrainedOptions}
 * @returns warnings; undefined where nothing was to be waited for
 */
export async function awaitWhereReplaced(
  flow: Flow,
  targets: readonly Target[],
  snapshots: readonly ClusterSnapshot[],
  {
    steps,
    peersOf,
    look,
    readOthers,
    waitMs = DRAINED_WITHIN_MS,
    parallel,
  }: {
    steps: readonly Step[];
    peersOf: (snapshot: ClusterSnapshot) => readonly string[];
    look?: (snapshot: ClusterSnapshot) => Promise<void>;
    readOthers?: OwnDrainedOptions['readOthers'];
    waitMs?: number | undefined;
    parallel: number;
  },
): Promise<string[] | undefined> {
  const limit = pLimit(parallel);
  const waits = snapshots.flatMap((snapshot) => {
    const target = targets.find(({ client }) => client.context === snapshot.context);
    if (!target || !replacesApiserver(snapshot, steps)) return [];
    const own = { peers: peersOf(snapshot), look: look && (() => look(snapshot)) };
    const options = { waitMs, others: snapshots, readOthers, ...own };
    return [limit(() => awaitOwnDrained(flow, target, snapshot, options))];
  });
  const held = (await Promise.all(waits)).flatMap((warnings) => (warnings ? [warnings] : []));
  return held.length > 0 ? held.flat() : undefined;
}

/**
 * Of these peers those that any pod's KVStoreMesh lets go of: it deletes their configuration first and, three minutes later, what says that
 * they are synced (Cilium's pkg/clustermesh/kvstoremesh, `drain`), and puts off meanwhile to take them up (`tombstones` in
 * pkg/clustermesh/common). Of a peer that is connected, or that is lost, both are there.
 * @returns undefined where an etcd gave no answer
 */
async function drainedPeers(
  flow: Flow,
  target: Target,
  snapshot: ClusterSnapshot,
  peers: readonly string[],
): Promise<string[] | undefined> {
  const read = (await readyPods(target)).map(async (pod) => {
    const synced = await readOwnKeys(flow, target, snapshot, pod, SYNCED_PREFIX);
    // Afterwards: who is taken up in between has one by then.
    const configs = await readClusterConfigs(flow, target, snapshot, pod);
    return synced instanceof Map && configs instanceof Map ? lettingGoOf(synced, configs) : undefined;
  });
  const held = await Promise.all(read);
  return held.includes(undefined) ? undefined : peers.filter((peer) => held.some((names) => names?.has(peer)));
}

function lettingGoOf(synced: ReadonlyMap<string, string>, configs: ReadonlyMap<string, string>): Set<string> {
  const names = [...synced.keys()].map((key) => key.slice(0, key.indexOf('/')));
  return new Set(names.filter((name) => !configs.has(name)));
}
