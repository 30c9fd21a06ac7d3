import pLimit from 'p-limit';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { requireListOfUsers } from '../../mesh/connect/direction.ts';
import { partingsOf, planDisconnect } from '../../mesh/connect/disconnect/disconnect-plan.ts';
import { notPeersAmong } from '../../mesh/connect/disconnect/not-peers.ts';
import { counted, enumerated } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type ConnectionMode, dialsOf } from '../../mesh/peers/connection-mode.ts';
import { remoteUserName } from '../../mesh/peers/file/peer-config.ts';
import { knownPeers, ownUser } from '../../mesh/peers/peers.ts';
import { type EtcdUsers, readEtcdUsers } from '../etcd/read-users.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { invitationsEnding } from '../invitation/pending.ts';
import { firstFailure, isInaccessible, orWithout, type Unanswered } from '../where-it-succeeds.ts';
import {
  type DisconnectedCluster,
  type DisconnectOptions,
  type EndingDial,
  type PreparedDisconnect,
  prepareDisconnect,
  prepareParting,
  readConcerned,
  requireSettledNames,
  serversOf,
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
 * The same for several clusters, as one plan: each forgets those of the names that it knows, but its own. Of two that forget each other
 * each is told by that.
 * @returns `read`: all that were read, also those that forget no one; those that cannot be accessed are `spared`
 * @throws MeshctlError `NotFound` for a name that none of them knows
 */
export async function prepareForgettingIn(
  flow: Flow,
  targets: readonly Target[],
  peers: readonly string[],
  mode: ConnectionMode,
  options: ForgettingInSeveral,
): Promise<PreparedForgetting & { read: readonly ClusterSnapshot[] }> {
  const words = counted(targets.length, 'cluster');
  const { read, spared } = await during(flow, { doing: `Reading ${words}`, done: `Read ${words}` }, () =>
    readAccessible(flow, targets, options),
  );
  const members = read.map((snapshot) => ({ context: snapshot.context, snapshot, name: clusterNameOf(snapshot) }));
  const { readOthers, ignoreNotFound, ignoring, parallel } = options;
  const dials = await dialsEnding(members, peers, { mode, readOthers });
  requireListOfUsers(serversOf(dials));
  const others = [...(await readConcerned(dials, readOthers)), ...read];
  requireSettledNames(dials, others);
  const limit = pLimit(parallel);
  const unknownTo = await Promise.all(
    members.map(({ context, snapshot, name }) =>
      limit(async () => {
        const target = targets.find(({ client }) => client.context === context) as Target;
        const named = peers.filter((peer) => peer !== name);
        const readAll = async () => [...(await readOthers()), ...read.filter((one) => one !== snapshot)];
        const ofIt = { readOthers: readAll, ignoreNotFound: true, ignoring };
        return [name, ...(await unknownAmong(flow, target, snapshot, named, ofIt))];
      }),
    ),
  );
  const unknown = peers.filter((peer) => unknownTo.every((names) => names.includes(peer)));
  if (unknown.length > 0 && !ignoreNotFound) {
    const contexts = targets.map(({ client }) => client.context);
    const names = unknown.map((peer) => `"${peer}"`).join(', ');
    throw new MeshctlError('NotFound', `none of the clusters of ${enumerated(contexts)} knows a cluster ${names}`, {
      hint: `--peer takes names of clusters. Nothing was changed. Where a name may be forgotten already: ${ignoring}`,
      details: { contexts, unknown },
    });
  }
  const forgetting = new Set(dials.flat().flatMap(({ snapshot }) => snapshot?.context ?? []));
  const prepared = prepareParting(
    targets.filter(({ client }) => forgetting.has(client.context)),
    dials,
    { others },
  );
  const warnings = [...prepared.warnings, ...(await invitationsEnding(flow, prepared, { parallel }))];
  return { ...prepared, warnings, spared, unknown, read };
}

async function readAccessible(
  flow: Flow,
  targets: readonly Target[],
  { parallel, spare }: ForgettingInSeveral,
): Promise<{ read: ClusterSnapshot[]; spared: Unanswered[] }> {
  const all = await readParting(flow, targets, parallel);
  const read = all.flatMap((one) => (one instanceof MeshctlError ? [] : [one]));
  const spared = targets.flatMap(({ client: { context } }, index) => {
    const error = all[index];
    return error instanceof MeshctlError ? [{ context, error }] : [];
  });
  const thrown = spare && read.length > 0 ? spared.find(({ error }) => !isInaccessible(error)) : spared[0];
  if (thrown) throw firstFailure(flow, spared, thrown);
  return { read, spared };
}

/** Who dials whom no more. Of two that forget each other's name one may be another cluster of the name: then no one is told. */
async function dialsEnding(
  members: readonly (DisconnectedCluster & { snapshot: ClusterSnapshot })[],
  peers: readonly string[],
  { mode, readOthers }: Pick<ForgettingOptions, 'readOthers'> & { mode: ConnectionMode },
): Promise<EndingDial[]> {
  const named = members.filter(({ name }) => peers.includes(name));
  const read = members.map(({ snapshot }) => snapshot);
  const all = named.length > 1 ? [...(await readOthers()), ...read] : read;
  const atHand = (own: DisconnectedCluster, peer: string) => {
    const alike = named.filter(
      (one) => named.includes(own as typeof one) && one.name === peer && notPeersAmong([[own, one]], all).length === 0,
    );
    return alike.length === 1 ? alike[0] : undefined;
  };
  const dials = members.flatMap((own) => {
    const forgotten = peers.filter((peer) => peer !== own.name);
    const others = forgotten.map((peer): DisconnectedCluster => atHand(own, peer) ?? { context: peer, name: peer });
    return dialsOf<DisconnectedCluster>(mode === 'mesh' ? 'bidirectional' : mode, own, others);
  });
  // Of two at hand each has both ways.
  return dials.filter(([from, to], index) => dials.findIndex((one) => one[0] === from && one[1] === to) === index);
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
