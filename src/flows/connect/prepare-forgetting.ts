import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { partingsOf, planDisconnect } from '../../mesh/connect/disconnect-plan.ts';
import { counted, enumerated } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type ConnectionMode, dialsOf } from '../../mesh/peers/connection-mode.ts';
import { remoteUserName } from '../../mesh/peers/file/peer-config.ts';
import { knownPeers, ownUser } from '../../mesh/peers/peers.ts';
import { mergeEffects } from '../../mesh/plan/peer-effects.ts';
import { type EtcdUsers, readEtcdUsers } from '../etcd/read-users.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { orWithout, whereAccessible } from '../where-it-succeeds.ts';
import {
  type DisconnectedCluster,
  type DisconnectOptions,
  type PreparedDisconnect,
  prepareDisconnect,
} from './prepare-disconnect.ts';
import { readParting } from './read-parting.ts';

/** What {@link prepareForgetting} takes of a name that may be forgotten already. */
export interface ForgettingOptions {
  readOthers: NonNullable<DisconnectOptions['readOthers']>;
  /** A name of which nothing is there is no error. */
  ignoreNotFound: boolean;
  /** The command line that takes it for none. */
  ignoring: string;
}

/** A disconnect of peers by name, with those names of which nothing is there: they were forgotten before, or never known. */
export interface PreparedForgetting extends PreparedDisconnect {
  unknown: readonly string[];
}

/**
 * What {@link prepareDisconnect} gives, for peers known by name only, on one side.
 * @throws MeshctlError `NotFound` for a name of which nothing is there
 */
export async function prepareForgetting(
  flow: Flow,
  source: Target,
  peers: readonly string[],
  mode: ConnectionMode,
  options: ForgettingOptions,
): Promise<PreparedForgetting> {
  const request = { source, destinations: [], mode: mode === 'mesh' ? 'bidirectional' : mode } as const;
  const { readOthers } = options;
  const prepared = await prepareDisconnect(flow, request, { parallel: 1, named: peers, readOthers });
  const unknown: string[] = [];
  for (const { snapshot } of prepared.partings)
    unknown.push(...(await unknownAmong(flow, source, snapshot, peers, options)));
  return { ...prepared, unknown };
}

/** What {@link prepareForgettingIn} takes of several clusters. */
export interface ForgettingInSeveral extends ForgettingOptions {
  /** Clusters at a time. */
  parallel: number;
  /** Clusters that cannot be accessed have no part in it. */
  spare: boolean;
}

/**
 * The same for several clusters, as one plan: each forgets the names that it knows. One that has such a name itself forgets nothing, and
 * is no part of it.
 * @returns with those that cannot be accessed as `spared`
 * @throws MeshctlError `NotFound` for a name that none of them knows
 */
export async function prepareForgettingIn(
  flow: Flow,
  targets: readonly Target[],
  peers: readonly string[],
  mode: ConnectionMode,
  { readOthers, ignoreNotFound, ignoring, parallel, spare }: ForgettingInSeveral,
): Promise<PreparedForgetting & { own: readonly ClusterSnapshot[] }> {
  const silent = { update() {}, tick() {}, done() {}, fail() {}, stop() {} };
  const quiet = { ...flow, progress: { ...flow.progress, start: () => silent } };
  let read: Promise<ClusterSnapshot[]> | undefined;
  const readAll = () => {
    read ??= readParting(quiet, targets, parallel).then((all) =>
      all.flatMap((one) => (one instanceof MeshctlError ? [] : [one])),
    );
    return read;
  };
  const prepare = (target: Target) =>
    prepareForgetting(quiet, target, peers, mode, {
      readOthers: async () => {
        const [outside, all] = await Promise.all([readOthers(), readAll()]);
        return [...outside, ...all.filter(({ context }) => context !== target.client.context)];
      },
      ignoreNotFound: true,
      ignoring,
    });
  const words = counted(targets.length, 'cluster');
  const { done, failed } = await during(flow, { doing: `Reading ${words}`, done: `Read ${words}` }, () =>
    whereAccessible(flow, targets, prepare, { parallel, least: spare ? 1 : targets.length }),
  );
  const isOwn = ({ partings }: PreparedForgetting) =>
    partings.some(({ snapshot }) => peers.includes(clusterNameOf(snapshot)));
  const forgetting = done.filter((one) => !isOwn(one));
  const unknown = peers.filter((peer) => forgetting.every((one) => one.unknown.includes(peer)));
  if (unknown.length > 0 && !ignoreNotFound) {
    const contexts = targets.map(({ client }) => client.context);
    const names = unknown.map((peer) => `"${peer}"`).join(', ');
    throw new MeshctlError('NotFound', `none of the clusters of ${enumerated(contexts)} knows a cluster ${names}`, {
      hint: `--peer takes names of clusters. Nothing was changed. Where a name may be forgotten already: ${ignoring}`,
      details: { contexts, unknown },
    });
  }
  return {
    targets: forgetting.flatMap((one) => one.targets),
    partings: forgetting.flatMap(({ partings }) => partings),
    parted: forgetting.flatMap(({ parted }) => parted),
    plan: { steps: forgetting.flatMap(({ plan }) => plan.steps) },
    effects: mergeEffects(forgetting.flatMap(({ effects }) => effects)),
    warnings: [...new Set(forgetting.flatMap(({ warnings }) => warnings))],
    spared: failed,
    unknown,
    own: done.filter(isOwn).flatMap(({ partings }) => partings.map(({ snapshot }) => snapshot)),
  };
}

const NOT_ASKED: EtcdUsers = { users: new Map(), unasked: [] };

/**
 * A name that is nowhere is a mistyped one; a peer of which only a trace is left is not, were it that etcd still lets it in, whose
 * user an earlier run has taken out of the list; nor is one that other clusters have or know: this one has forgotten it already.
 * @returns those of which nothing is there or elsewhere, to whom nothing is to be told
 */
async function unknownAmong(
  flow: Flow,
  source: Target,
  snapshot: ClusterSnapshot,
  peers: readonly string[],
  { readOthers, ignoreNotFound, ignoring }: ForgettingOptions,
): Promise<string[]> {
  const { context } = snapshot;
  const own: DisconnectedCluster = { context, snapshot, name: clusterNameOf(snapshot) };
  const known = knownPeers(snapshot);
  const unlisted = peers.filter((peer) => {
    const { steps } = planDisconnect(partingsOf(dialsOf('bidirectional', own, [{ context: peer, name: peer }])));
    return !known.includes(peer) && steps.every(({ action }) => action === 'keep');
  });
  if (unlisted.length === 0) return [];
  const { users } = await orWithout(flow, readEtcdUsers(flow, source, snapshot), NOT_ASKED);
  const letIn = [...users.values()].flat().filter((user) => user !== ownUser(snapshot));
  const unknown = unlisted.filter((peer) => !letIn.includes(remoteUserName(peer)));
  if (unknown.length === 0) return [];
  const elsewhere = (await readOthers()).flatMap((other) => [clusterNameOf(other), ...knownPeers(other)]);
  const strangers = unknown.filter((peer) => peer === own.name || !elsewhere.includes(peer));
  if (strangers.length === 0 || ignoreNotFound) return strangers;
  throw new MeshctlError(
    'NotFound',
    `context "${context}" knows no cluster ${strangers.map((peer) => `"${peer}"`).join(', ')}; it knows ${known.join(', ') || 'none'}`,
    {
      hint: `--peer takes names of clusters. Nothing was changed. Where a name may be forgotten already: ${ignoring}`,
      details: { context, unknown: strangers, known },
    },
  );
}
