import { hasTakenIdentity, requireSettledName } from '../../mesh/apiserver/pod-marks.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { requireListOfUsers, requireUsersFile } from '../../mesh/connect/direction.ts';
import {
  forget,
  isCalledAsPeer,
  maybeDead,
  nameOfDead,
  withWayOut,
} from '../../mesh/connect/disconnect/dead-cluster.ts';
import {
  disconnectEffects,
  isDialThere,
  notingThatLeave,
  type Parting,
  type PartingCluster,
  partingsOf,
  planDisconnect,
} from '../../mesh/connect/disconnect/disconnect-plan.ts';
import { isOfNotPeers, notPeersAmong, notPeersNotes, requirePeers } from '../../mesh/connect/disconnect/not-peers.ts';
import { openConnections } from '../../mesh/connect/disconnect/shut-out.ts';
import { counted, enumerated } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { dialsOf } from '../../mesh/peers/connection-mode.ts';
import { foreignHomeNotes } from '../../mesh/peers/foreign-homes.ts';
import { isDoubtfulPeer } from '../../mesh/peers/namesakes.ts';
import { configuredPeers, sharesLogin } from '../../mesh/peers/peers.ts';
import { requireStaying } from '../../mesh/plan/going.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import type { Plan } from '../../mesh/plan/plan.ts';
import { hasMarkedFiles } from '../../mesh/rotation/unfinished-rotation.ts';
import type { WorkingCommand } from '../../mesh/working-runs.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { invitationsEnding } from '../invitation/pending.ts';
import { firstFailure, isInaccessible, type Unanswered } from '../where-it-succeeds.ts';
import { whereUsable } from '../where-usable.ts';
import type { RunAccount } from '../write/apply-clusters.ts';
import { type PlannedCluster, plannedClusters } from '../write/require-none-joined.ts';
import type { MeshRequest } from './prepare-connect.ts';
import { readConnectedPeers, wereConnected } from './read-connected-peers.ts';
import { readParting } from './read-parting.ts';

export interface DisconnectOptions {
  /** Goes on where a destination cannot be reached. */
  force?: boolean | undefined;
  /** Clusters at a time. */
  parallel: number;
  /** False leaves what stands when something fails. */
  rollback?: boolean | undefined;
  /** The command that mends a cluster that could not be put back; default: one that connects it again. */
  mend?: ((context: string) => string) | undefined;
  /** How long etcds may take to refuse the peers, and agents to forget them; absent: they are not asked. */
  waitMs?: number | undefined;
  /** How long, where it waits, pods that are replaced may have before that to let go of former peers; absent: as long as it takes. */
  replacingMs?: number | undefined;
  /** Contexts of clusters that leave the mesh by it: their etcds, which go, are not asked, nor is anything of them to be known. */
  leaving?: readonly string[] | undefined;
  /** Reads the clusters that it is not about: some may stand on what it takes away. Absent: they are not looked at. */
  readOthers?: (() => Promise<readonly ClusterSnapshot[]>) | undefined;
  /** Without `force`: destinations that cannot be accessed have no part in it. */
  spare?: boolean | undefined;
  /** Names of further peers of the source, which it forgets by itself: those that are destinations too are told as well. */
  named?: readonly string[] | undefined;
  /** Of a run that this is a part of, whose work is taken back as a whole. */
  account?: RunAccount | undefined;
  /** As what it says that it is at work. Default: disconnect. */
  command?: WorkingCommand | undefined;
  /** When that began. Default: now. */
  since?: Date | undefined;
  /** What that does, in words. */
  doing?: string | undefined;
  /** Hears that all is written, before it is waited for: from then on nothing is put back. */
  onWritten?: (() => void) | undefined;
}

/** A disconnect that has been thought through; nothing is written yet. */
export interface PreparedDisconnect {
  targets: readonly Target[];
  partings: readonly Parting[];
  /** For each dial that ends: who dialled whom, by name. */
  parted: readonly { from: string; to: string }[];
  plan: Plan;
  /** What becomes of connections that it is not about. */
  effects: readonly PeerEffect[];
  warnings: readonly string[];
  /** Of the warnings: what goes on at clusters that are not told, with what ends it there. */
  standing?: readonly string[] | undefined;
  /** What was left out of it. */
  spared: readonly Unanswered[];
}

/** The clusters that it writes to, as they were read. */
export function clustersOfParting({
  targets,
  partings,
}: Pick<PreparedDisconnect, 'targets' | 'partings'>): PlannedCluster[] {
  return plannedClusters(
    targets,
    partings.map(({ snapshot }) => snapshot),
  );
}

/**
 * Reads the clusters and plans what each of them forgets.
 * @throws MeshctlError why a cluster cannot be asked; with `force` only of the source, and `Usage` when it is not to be
 * told which peer a dead destination is, or where a destination only has the name of the peer
 */
export async function prepareDisconnect(
  flow: Flow,
  request: MeshRequest,
  options: DisconnectOptions,
): Promise<PreparedDisconnect> {
  const { source, destinations, mode } = request;
  const asked = source ? [source, ...destinations] : destinations;
  const snapshots = await during(
    flow,
    { doing: `Reading ${counted(asked.length, 'cluster')}`, done: `Read ${counted(asked.length, 'cluster')}` },
    () => readParting(flow, asked, options.parallel),
  );
  const read = snapshots.flatMap((result) => (result instanceof MeshctlError ? [] : [result]));
  const refused = snapshots.flatMap((result, index) => {
    const target = asked[index];
    return result instanceof MeshctlError && target ? [{ target, context: target.client.context, error: result }] : [];
  });
  const mayGo = options.spare === true && !options.force && read.length > 1;
  const silent = refused.filter(({ target, error }) => mayGo && target !== source && isInaccessible(error));
  // By the name of another one it may be taken for that: who is whose peer is to be settled first.
  for (const snapshot of read) if (mayGo && hasTakenIdentity(snapshot, read)) requireSettledName(snapshot, read);
  const { usable: alive, failed: unusable } = mayGo
    ? whereUsable(flow, read, judgePartible(read), { least: 2, needed: source?.client.context })
    : { usable: read, failed: [] };
  const spared: Unanswered[] = [...silent, ...unusable];
  const failed = refused.filter((one) => !silent.includes(one));
  const targets = asked.filter(({ client }) => !spared.some(({ context }) => context === client.context));
  const dead = failed.filter(({ target, error }) => target !== source && maybeDead(error));
  // Of a peer that is behind another context, a dead one is not to take the name.
  const isUnnamed = dead.some(({ context }) => !isCalledAsPeer(context, alive));
  const elsewhere = isUnnamed && options.readOthers ? await options.readOthers() : [];
  const ofDead = { source: source?.client.context, mode, alive, others: elsewhere };
  const blocking = (options.force ? failed.filter((one) => !dead.includes(one)) : failed).map((one) =>
    dead.includes(one) ? { ...one, error: withWayOut(one.error, one.context, ofDead) } : one,
  );
  if (blocking.length > 0) throw firstFailure(flow, blocking);
  const members = targets.map(({ client: { context } }): DisconnectedCluster => {
    const snapshot = alive.find((candidate) => candidate.context === context);
    return snapshot
      ? { context, snapshot, name: clusterNameOf(snapshot) }
      : { context, name: nameOfDead(context, ofDead) };
  });
  const asDestinations = source ? members.slice(1) : members;
  const untold = (options.named ?? []).filter((name) => !asDestinations.some((one) => one.name === name));
  const others = [...asDestinations, ...untold.map((name): DisconnectedCluster => ({ context: name, name }))];
  const named = dialsOf(mode, source ? members[0] : undefined, others);
  const { leaving = [], parallel } = options;
  // The etcd of one that leaves goes, whatever list it has.
  requireListOfUsers(serversOf(named.filter(([, server]) => !leaving.includes(server.context))));
  // Those that have no part in it go on as they are.
  const beside = read.filter((snapshot) => !alive.includes(snapshot));
  const concerned = [...beside, ...(await readConcerned(named, options.readOthers))];
  // By another name than it had, a cluster would be taken for a namesake.
  requireSettledNames(named, concerned);
  const strangers = notPeersAmong(named, concerned);
  if (!options.spare) requirePeers(strangers, concerned);
  const dials = named.filter((dial) => !isOfNotPeers(dial, strangers));
  const prepared = prepareParting(targets, dials, { others: concerned, leaving });
  const holders = targets.filter(
    ({ client }) => dead.length > 0 && alive.some((one) => one.context === client.context),
  );
  const connected = await readConnectedPeers(flow, holders, parallel);
  const unreached = dead.map(({ context, error }) => {
    const letIn = dials.flatMap(([client, server]) => (server.context === context ? client.name : []));
    const dialled = dials.flatMap(([client, server]) => (client.context === context ? server.name : []));
    const name = members.find((one) => one.context === context)?.name ?? context;
    const by = alive.flatMap((one) => (connected.get(one.context)?.has(name) ? one.context : []));
    const goesOn = [
      ...(dialled.length > 0 ? [`goes on dialling ${enumerated(dialled)}`] : []),
      ...(letIn.length > 0 ? [`still lets ${enumerated(letIn)} in`] : []),
    ];
    const isThere = by.length > 0 ? `; it is there: ${wereConnected(by)}` : '';
    const back = forget(context, [...new Set([...letIn, ...dialled])]);
    return `context "${context}" was not reached, so it ${goesOn.join(' and ')} (${error.message})${isThere} → when it is back: ${back}`;
  });
  const invited = await invitationsEnding(flow, prepared, { parallel, leaving });
  const warnings = [...prepared.warnings, ...notPeersNotes(strangers), ...unreached, ...invited];
  return { ...prepared, warnings, standing: unreached, spared };
}

/** What keeps a cluster from parting from any other. @param all those that it may part from */
function judgePartible(all: readonly ClusterSnapshot[]): (snapshot: ClusterSnapshot) => void {
  return (snapshot) => {
    requireListOfUsers([snapshot]);
    requireUsersFile([snapshot]);
    requireSettledName(snapshot, all);
  };
}

/** `[client, server]` of a dial that ends. */
export type EndingDial = [DisconnectedCluster, DisconnectedCluster];

export interface DisconnectedCluster extends PartingCluster {
  context: string;
}

/** The clusters that were read, of those that are dialled. */
export function serversOf(dials: readonly EndingDial[]): ClusterSnapshot[] {
  return [...new Set(dials.flatMap(([, { snapshot }]) => snapshot ?? []))];
}

/** Reads others where that matters: only what lets in, and whose pods dial, is anybody else's, or a file that leads elsewhere. */
export async function readConcerned(
  dials: readonly EndingDial[],
  readOthers: DisconnectOptions['readOthers'],
): Promise<readonly ClusterSnapshot[]> {
  const { steps } = planDisconnect(partingsOf(dials));
  const isOthers = steps.some(({ action, object }) => action !== 'keep' && object.kind !== 'Secret');
  // Whose address is not dialled may be another one of the name.
  const isDoubtful = dials.some(
    ([client, server]) => client.snapshot && server.snapshot && isDoubtfulPeer(client.snapshot, server.snapshot),
  );
  return (isOthers || isDoubtful) && readOthers ? readOthers() : [];
}

/**
 * Plans that dials end, of clusters that were read, and whose names are those that their peers know ({@link requireSettledNames}).
 * @param others clusters that it is not about, as far as they were read
 * @param begun dials that the same run makes first
 * @param leaving contexts of clusters that leave the mesh by it: of what goes there nothing is to be known
 * @param uids of those that a later run is to find, as in {@link notingThatLeave}
 */
export function prepareParting(
  targets: readonly Target[],
  dials: readonly EndingDial[],
  {
    others = [],
    begun = [],
    leaving = [],
    uids = new Map(),
  }: {
    others?: readonly ClusterSnapshot[];
    begun?: Parameters<typeof partingsOf>[1];
    leaving?: readonly string[] | undefined;
    uids?: ReadonlyMap<string, string>;
  } = {},
): PreparedDisconnect {
  requireUsersFile([...new Set(dials.flat())].flatMap(({ snapshot }) => snapshot ?? []));
  const partings = notingThatLeave(partingsOf(dials, begun), uids);
  const plan = planDisconnect(partings);
  requireStaying(plan.steps, []);
  // What is left there for a cluster's own name connects it to nobody: there is nothing to warn of.
  const between = dials.filter(([client, server]) => client.name !== server.name);
  const staying = between.filter(([, server]) => !leaving.includes(server.context));
  const common = staying.filter(
    ([{ snapshot }, { name }]) => snapshot && configuredPeers(snapshot).includes(name) && sharesLogin(snapshot, name),
  );
  return {
    targets,
    partings,
    spared: [],
    parted: dials.filter(isDialThere).map(([client, server]) => ({ from: client.name, to: server.name })),
    plan,
    effects: disconnectEffects(partings, plan.steps, others),
    warnings: [
      ...common.map(
        ([client, server]) =>
          `"${client.name}" logged in to "${server.name}" with a certificate that other clusters use too: the certificate stays valid after it stops dialling`,
      ),
      ...openConnections(staying),
      ...unfinishedRotations(between.flat().filter(({ context }) => !leaving.includes(context))),
      ...foreignHomeNotes(plan.steps, partedOf(partings)),
    ],
  };
}

/** @throws MeshctlError `ClusterIdentity` where one of two that were read is known by another name than it has by now */
export function requireSettledNames(dials: readonly EndingDial[], others: readonly ClusterSnapshot[]): void {
  const pairs = dials.filter(([client, server]) => client.snapshot && server.snapshot);
  const paired = [...new Set(pairs.flat())].flatMap(({ snapshot }) => snapshot ?? []);
  for (const snapshot of paired) requireSettledName(snapshot, [...paired, ...others]);
}

/** Whom each cluster parts from, by its context. */
function partedOf(partings: readonly Parting[]): ReadonlyMap<string, readonly string[]> {
  return new Map(
    partings.map(({ snapshot, undialled, unserved }) => [snapshot.context, [...new Set([...undialled, ...unserved])]]),
  );
}

/** What is left of a rotation goes on in each cluster; how, hangs on certificates that are not read here. */
function unfinishedRotations(clusters: readonly DisconnectedCluster[]): string[] {
  const snapshots = [...new Set(clusters)].flatMap(({ snapshot }) => snapshot ?? []);
  if (!snapshots.some(hasMarkedFiles)) return [];
  const look = meshctlCommand('clustermesh check', { context: snapshots.map(({ context }) => context) }, [
    ...['--category', 'tls'],
  ]);
  return [
    `a rotation of the CA is unfinished, and has to be finished in each cluster with the peers that it has left; to see how → ${look}`,
  ];
}
