import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { meshctlCommand, unnamedContext } from '../../mesh/command-line.ts';
import { requireListOfUsers } from '../../mesh/connect/direction.ts';
import { forget } from '../../mesh/connect/disconnect/dead-cluster.ts';
import { oneStepEach } from '../../mesh/enable/plan-disable.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { dialsOfLeaving, halfLeft, isOfNoFile, leavingClusters } from '../../mesh/file/extra.ts';
import { dialKey } from '../../mesh/file/topology.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { clearLeaving, leavingIn, leavingUid } from '../../mesh/peers/leaving-marks.ts';
import { peersOfOthers } from '../../mesh/peers/peer-choices.ts';
import { knownPeers } from '../../mesh/peers/peers.ts';
import { forOtherOwners } from '../../mesh/peers/peers-of-others.ts';
import type { Hazard } from '../../mesh/plan/agreement.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { readForParting } from '../../snapshot/read-for-parting.ts';
import {
  type DisconnectedCluster,
  type EndingDial,
  type PreparedDisconnect,
  prepareParting,
  requireSettledNames,
  serversOf,
} from '../connect/prepare-disconnect.ts';
import { type DisableDraft, draftDisable } from '../enable/disable.ts';
import type { Flow, Target } from '../flow.ts';
import { invitationsEnding } from '../invitation/pending.ts';
import { type OtherClusters, readLostBackends } from '../services/read-lost-backends.ts';
import type { PreparedMesh } from './prepare-mesh.ts';

/** What `--prune` takes away: what clusters have and their files do not. */
export interface PreparedPrune {
  /** Absent where no peer has to go. */
  parting: PreparedDisconnect | undefined;
  /** Clusters that have gone from the file and have no peer that stays: what meshctl made there goes too. */
  leaving: readonly { target: Target; draft: DisableDraft }[];
  /** What is written down of those that leave, and is taken away in the end; without changes where that comes to be in this run. */
  clearing: readonly Step[];
  /** Names of those that leave and that a later run finds by that, were this one killed. */
  noted: readonly string[];
  effects: readonly PeerEffect[];
  /** What clusters lose of global Services with their peers. */
  hazards: readonly Hazard[];
  /** The same, read once more. */
  hazardsNow: () => Promise<readonly Hazard[]>;
  warnings: readonly string[];
}

/** Without `--prune`. */
export const NO_PRUNE: PreparedPrune = {
  parting: undefined,
  leaving: [],
  clearing: [],
  noted: [],
  effects: [],
  hazards: [],
  hazardsNow: async () => [],
  warnings: [],
};

/**
 * Plans that peers go which no file has. What has gone from a file can only be seen by the peers that are left of it.
 * @param outside clusters that no file has, as far as contexts lead to them
 */
export async function preparePrune(
  flow: Flow,
  { members, enabled, spec, extra, connections }: PreparedMesh,
  outside: readonly Target[],
  { waitMs, parallel, others }: { waitMs: number; parallel: number; others: OtherClusters },
): Promise<PreparedPrune> {
  const inFiles = members.map(({ target }) => target);
  if (extra.dials.length + extra.strangers.length + extra.leaving.length === 0) return NO_PRUNE;
  const own = enabled.map((snapshot): DisconnectedCluster => {
    return { context: snapshot.context, snapshot, name: clusterNameOf(snapshot) };
  });
  const read = await Promise.all(outside.map(({ client, namespace }) => readForParting(client, namespace)));
  const opened = read.map((snapshot): DisconnectedCluster => {
    return { context: snapshot.context, snapshot, name: clusterNameOf(snapshot) };
  });
  const known = extra.strangers.map(({ peer }) => peer);
  const strangers = [
    ...known.map((peer) => opened.find(({ name }) => name === peer) ?? { context: peer, name: peer }),
    ...opened.filter(({ name }) => !known.includes(name)),
  ];
  const byName = new Map([...own, ...strangers].map((cluster) => [cluster.name, cluster]));
  const named = (name: string): DisconnectedCluster => {
    const cluster = byName.get(name);
    if (cluster) return cluster;
    throw new MeshctlError('Bug', `cluster "${name}" is to be disconnected, and was not read`);
  };
  const outer = extra.strangers.flatMap(({ peer, knownBy }) =>
    knownBy.flatMap((name) => [
      { from: name, to: peer },
      { from: peer, to: name },
    ]),
  );
  const elsewhere = read.length + extra.leaving.length > 0 ? await others.read() : [];
  const halfway = halfLeft(extra.leaving, spec, read);
  const gone = leavingClusters(read, spec, elsewhere, halfway);
  const isLeaving = ({ context }: { context: string }) => gone.some((one) => one.context === context);
  const ended = [...extra.dials, ...outer, ...dialsOfLeaving(gone)];
  const once = new Map(ended.map((dial) => [dialKey(dial.from, dial.to), dial])).values();
  const dials = [...once].map(({ from, to }): EndingDial => [named(from), named(to)]);
  requireListOfUsers(serversOf(dials));
  const all = [...enabled, ...read];
  requireSettledNames(dials, all);
  const targets = [...inFiles, ...outside];
  const begun = [
    ...connections.now.directions.map(({ client, server }) => ({
      from: client.identity.name,
      to: server.identity.name,
    })),
    ...connections.later,
  ];
  const goneContexts = gone.map(({ context }) => context);
  const uidOf = (snapshot: ClusterSnapshot) =>
    leavingUid(snapshot) ?? extra.leaving.find(({ peer }) => peer === clusterNameOf(snapshot))?.uid;
  const uids = new Map(gone.map((snapshot) => [clusterNameOf(snapshot), uidOf(snapshot) ?? ''] as const));
  const parting = prepareParting(targets, dials, { others: all, begun, leaving: goneContexts, uids });
  const leaving = await Promise.all(
    outside
      .filter(({ client }) => isLeaving(client))
      .map(async (target) => ({
        target,
        draft: await draftDisable(flow, target, { keepCertificates: false, waitMs }),
      })),
  );
  const readLost = () => readLostBackends(flow, targets, { ...parting, begun }, others);
  const { hazards, unseen } = await readLost();
  const { clearing, noted, unfound } = marksOfLeaving(enabled, {
    ...{ extra, spec, parting, leaving: [...uids.keys()] },
    read: [...read, ...elsewhere],
  });
  return {
    parting,
    leaving,
    clearing,
    noted,
    hazards,
    hazardsNow: async () => (await readLost()).hazards,
    effects: [...cutBy(dials.filter((dial) => !dial.every(isLeaving))), ...cutByLeaving(gone), ...parting.effects],
    warnings: [
      ...parting.warnings,
      ...(await invitationsEnding(flow, parting, { parallel, leaving: goneContexts })),
      ...leaving.flatMap(({ draft }) => draft.notes),
      ...pointingHere(strangers, extra, dials),
      ...unfound,
      ...unseen,
    ],
  };
}

function cutBy(dials: readonly EndingDial[]): PeerEffect[] {
  return dials.flatMap(([client, server]): PeerEffect[] =>
    client.snapshot
      ? [{ cluster: client.context, peer: server.name, becomes: 'cut', why: 'no file has this connection' }]
      : [],
  );
}

/** Clusters that leave end their connections with each other too, which no file's cluster had a part in. */
function cutByLeaving(leaving: readonly ClusterSnapshot[]): PeerEffect[] {
  const names = leaving.map(clusterNameOf);
  return leaving.flatMap((snapshot) =>
    knownPeers(snapshot)
      .filter((peer) => names.includes(peer))
      .map((peer): PeerEffect => ({ cluster: snapshot.context, peer, becomes: 'cut', why: 'both leave the mesh' })),
  );
}

/**
 * What is written down of clusters that leave: it goes once they have left, and where it says nothing any more. Of one to which no context
 * leads that answers it stays.
 * @param leaving names of those that leave by this run
 * @param read what was read of clusters that no file has
 */
function marksOfLeaving(
  members: readonly ClusterSnapshot[],
  {
    extra,
    spec,
    parting,
    leaving,
    read,
  }: Pick<PreparedMesh, 'extra' | 'spec'> & {
    parting: PreparedDisconnect;
    leaving: readonly string[];
    read: readonly ClusterSnapshot[];
  },
): { clearing: Step[]; noted: string[]; unfound: string[] } {
  const isSettled = (name: string) => !isOfNoFile(spec, name) || read.some((one) => clusterNameOf(one) === name);
  const open = extra.leaving.filter(({ peer }) => !leaving.includes(peer) && !isSettled(peer));
  const marked = members.map((snapshot) => {
    const own = extra.leaving.filter(({ cluster }) => cluster === snapshot.context);
    const coming = parting.partings.filter((one) => one.snapshot.context === snapshot.context);
    const peers = [...own, ...coming.flatMap(({ noted = {} }) => leavingIn(noted))].map(({ peer }) => peer);
    return { snapshot, peers: [...new Set(peers)].filter((peer) => !open.some((one) => one.peer === peer)) };
  });
  const clearing = marked.flatMap(({ snapshot, peers }) =>
    peers.length > 0 ? (clearLeaving(snapshot, peers) ?? []) : [],
  );
  const noted = marked.flatMap(({ snapshot, peers }) =>
    clearing.some(({ cluster }) => cluster === snapshot.context) ? peers.filter((peer) => leaving.includes(peer)) : [],
  );
  const unfound = [...groupBy(open, ({ peer }) => peer)].map(([peer, marks]) => {
    const disable = meshctlCommand('clustermesh disable', { context: unnamedContext(peer) });
    const gone = forget(
      marks.map(({ cluster }) => cluster),
      [peer],
    );
    return `"${peer}" was disconnected by an apply --prune that did not come to its end, and no context leads to it that answers: whether it is disabled is not known → if it is there, disable it: ${disable}; or if it is gone, forget it: ${gone}`;
  });
  return { clearing, noted: [...new Set(noted)], unfound };
}

/** Clusters that go on dialling, because nobody could tell them. */
function pointingHere(
  strangers: readonly DisconnectedCluster[],
  extra: PreparedMesh['extra'],
  dials: readonly EndingDial[],
): string[] {
  const others = dials.flat().flatMap(({ snapshot }) => (snapshot ? peersOfOthers(snapshot) : []));
  return strangers
    .filter(({ snapshot }) => !snapshot)
    .map(({ name }) => {
      const known = extra.strangers.find(({ peer }) => peer === name)?.knownBy ?? [];
      const words = ['--peer', known.join(',')];
      const forget = meshctlCommand('clustermesh disconnect', { context: unnamedContext(name) }, words);
      return `no context that could be read leads to "${name}": it goes on dialling, and Cluster Mesh stays enabled there → ${forOtherOwners(forget, '', others)}`;
    });
}

/** The plan: services and connections first, then what enable has made. */
export function pruneSteps({ extraServices }: PreparedMesh, prune: PreparedPrune): Step[] {
  const removals = prune.leaving.flatMap(({ draft }) => draft.steps);
  return [...extraServices, ...oneStepEach(prune.parting?.plan.steps ?? [], removals), ...shownClearing(prune)];
}

/** What a plan, and a result, has of the marks: those that were there before, in what nothing else is changed of. */
export function shownClearing({ clearing, parting }: Pick<PreparedPrune, 'clearing' | 'parting'>): Step[] {
  const parted = (parting?.plan.steps ?? []).filter(isChange);
  const isParted = ({ cluster, object }: Step) =>
    parted.some((one) => one.cluster === cluster && keyOf(one.object) === keyOf(object));
  return clearing.filter((step) => step.changes.length > 0 && !isParted(step));
}
