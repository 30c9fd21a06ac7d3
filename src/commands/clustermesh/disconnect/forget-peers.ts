import type { PreparedDisconnect } from '../../../flows/connect/prepare-disconnect.ts';
import {
  type PreparedForgetting,
  prepareForgetting,
  prepareForgettingIn,
} from '../../../flows/connect/prepare-forgetting.ts';
import { readConnectedPeers, wereConnected } from '../../../flows/connect/read-connected-peers.ts';
import { toldApart } from '../../../flows/connect/read-parting.ts';
import type { Flow } from '../../../flows/flow.ts';
import type { OtherClusters } from '../../../flows/services/read-lost-backends.ts';
import { clusterNameOf } from '../../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../../mesh/cluster-snapshot.ts';
import { unnamedContext, unnamedIn } from '../../../mesh/command-line.ts';
import {
  calledOtherwise,
  forget,
  isForgottenOne,
  namesAtPeer,
  readAsPeer,
} from '../../../mesh/connect/disconnect/dead-cluster.ts';
import { enumerated } from '../../../mesh/counted.ts';
import { groupBy } from '../../../mesh/pairs.ts';
import { knownAs } from '../../../mesh/peers/concerned-peers.ts';
import { isPeerByNameAlone, mayBeAnother } from '../../../mesh/peers/namesakes.ts';
import { peersOfOthers } from '../../../mesh/peers/peer-choices.ts';
import { forOtherOwners, inWordsWhereUnled } from '../../../mesh/peers/peers-of-others.ts';
import { isChange } from '../../../mesh/plan/plan.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { parseContext, parseContexts } from '../../options/option-values.ts';
import { namingThoseKnown } from '../../targets/contexts-of-clusters.ts';
import { sayLeftOut } from '../../targets/each-cluster.ts';
import { otherClustersOf } from '../../targets/other-clusters.ts';
import { withChosenClusters, withOneCluster, withUnanswered } from '../../targets/several-clusters.ts';
import type { DISCONNECT } from './disconnect-spec.ts';

type Flags = FlagsOf<typeof DISCONNECT>;

/** The flags where `--context` names one, and not several. */
export function ofOneContext(flags: Flags): Flags {
  return flags.context === undefined ? flags : { ...flags, context: parseContext(flags.context) };
}

/**
 * Has clusters forget peers by their names: that of `--context`, several of it, or all, as one plan.
 * @param carryOut shows or carries out what was planned
 */
export async function forgetPeers(
  context: CommandContext,
  flags: Flags,
  peers: readonly string[],
  carryOut: (plan: PreparedDisconnect, others: OtherClusters) => Promise<CommandResult>,
): Promise<CommandResult> {
  const { ignoreNotFound, parallel, all } = flags;
  const { context: _source, ...further } = flags;
  const mode = flags.connectionMode ?? 'bidirectional';
  const ignoring = context.againWithout([], '--ignore-not-found');
  const names = flags.context === undefined ? undefined : parseContexts(flags.context);
  const isSeveral = all || names?.some((name) => names.length > 1 || /[*?]/.test(name));
  if (!isSeveral) {
    return withOneCluster(context, ofOneContext(flags), async (source) => {
      const others = otherClustersOf(context, flags, [source]);
      const options = { readOthers: others.read, ignoreNotFound, ignoring };
      const prepared = await prepareForgetting(context, source, peers, mode, options);
      return carryOut(await withUntold(context, flags, prepared, others.read), others);
    });
  }
  return withChosenClusters(context, { ...further, ...(names ? { context: names } : {}) }, async (targets, silent) => {
    const others = otherClustersOf(context, flags, targets);
    const options = { readOthers: others.read, ignoreNotFound, ignoring, parallel, spare: all };
    const { read, ...prepared } = await prepareForgettingIn(context, targets, peers, mode, options);
    sayLeftOut(context, prepared.spared);
    for (const snapshot of read) {
      const isKnown = prepared.plan.steps.some((step) => step.cluster === snapshot.context && isChange(step));
      if (!isKnown) context.progress.info(`context "${snapshot.context}": ${whyNothing(snapshot, peers)}`);
    }
    const plan = await withUntold(context, flags, prepared, async () => [...(await others.read()), ...read]);
    const missing = silent.filter((one) => !isForgottenOne(one, peers, read));
    return withUnanswered(await carryOut(plan, others), [...missing, ...prepared.spared]);
  });
}

/** Why a cluster that was read forgets no one. */
function whyNothing(snapshot: ClusterSnapshot, peers: readonly string[]): string {
  const others = peers.filter((peer) => peer !== clusterNameOf(snapshot));
  return others.length > 0
    ? `knows no ${others.join(', ')}`
    : `is ${clusterNameOf(snapshot)} itself, and forgets no one`;
}

/** A plan with what the peers that are forgotten are not told. */
async function withUntold(
  context: CommandContext,
  flags: Flags,
  prepared: PreparedForgetting,
  readOthers: () => Promise<readonly ClusterSnapshot[]>,
): Promise<PreparedDisconnect> {
  const isAnyUntold = prepared.partings.some(({ unserved }) => unserved.length > 0);
  const { notes, astray } = await untoldNotes(context, prepared, isAnyUntold ? await readOthers() : [], flags.parallel);
  const named = await namingThoseKnown(context, flags, notes, astray);
  // Of one that is nobody here, and to which no context leads, there is nothing to tell.
  const untold = named
    .filter((note) => !unnamedIn(note).some((name) => prepared.unknown.includes(name)))
    .map(inWordsWhereUnled);
  return { ...prepared, warnings: [...prepared.warnings, ...untold], standing: untold };
}

/**
 * Whoever was forgotten by name goes on as before, if it is there; one that knows nothing of it any more does not, nor does the
 * cluster itself, whose own name may be left there.
 * @returns `astray`: names by which contexts lead to another cluster, which is not to be told
 */
async function untoldNotes(
  flow: Flow,
  { partings, targets }: Pick<PreparedDisconnect, 'partings' | 'targets'>,
  others: readonly ClusterSnapshot[],
  parallel: number,
): Promise<{ notes: string[]; astray: string[] }> {
  const read = await Promise.all(
    partings.map(async (one) => {
      const target = targets.find(({ client }) => client.context === one.snapshot.context);
      const unserved = one.unserved.filter((peer) => !one.partners.some((partner) => knownAs(partner) === peer));
      const beside = others.filter((other) => other.context !== one.snapshot.context);
      const snapshot = target ? await toldApart(target.client, one.snapshot, beside) : one.snapshot;
      return { snapshot, unserved, beside };
    }),
  );
  const astray = read.flatMap(({ snapshot, unserved, beside }) =>
    unserved.filter((peer) => beside.some((other) => knownAs(other) === peer && mayBeAnother(snapshot, other, beside))),
  );
  const untold = read.flatMap(({ snapshot, unserved, beside }) => untoldBy(snapshot, unserved, beside));
  // No context leads to them: who is connected to one knows that it is there, were it a kubeconfig that is wrong.
  const unseen = untold.filter(({ also }) => also === undefined);
  const asked = targets.filter(({ client }) => unseen.some(({ context }) => context === client.context));
  const connected = await readConnectedPeers(flow, asked, parallel);
  const holdersOf = (peer: string) =>
    asked.map(({ client }) => client.context).filter((one) => connected.get(one)?.has(peer));
  const stateOf = ({ peer, also, unless }: Untold): string => {
    if (also !== undefined) return also;
    const holders = holdersOf(peer);
    return holders.length > 0
      ? ` is there: ${wereConnected(holders)}. It is not told, and`
      : ` is not told, and unless ${unless} it`;
  };
  // Of several clusters that one of them goes on dialling it is said once.
  const alike = groupBy(untold, ({ peer, to, also, unless, owners }) =>
    JSON.stringify([peer, to, also, unless, owners]),
  );
  const notes = [...alike.values()].flatMap((same) =>
    same.slice(0, 1).map((first) => {
      const { peer, to, own } = first;
      const there = forget(to, [...new Set(same.flatMap(({ names }) => names))]);
      const dialled = enumerated(same.map((one) => `"${one.dialled}"`));
      return `"${peer}"${stateOf(first)} goes on dialling ${dialled} → ${same.length === 1 ? own : there}`;
    }),
  );
  return { notes, astray };
}

/** What one cluster is not told, and goes on with. */
interface Untold {
  /** The cluster that forgets it. */
  context: string;
  peer: string;
  /** The context that leads to it. */
  to: string;
  /** How it is known to be there; absent where it is not. */
  also: string | undefined;
  /** Where it is not: unless what it goes on. */
  unless: string;
  dialled: string;
  /** By which it knows the cluster that it dials. */
  names: readonly string[];
  /** The way to end that. */
  own: string;
  /** The same of another owner's cluster, which is told otherwise in each case. */
  owners: string | undefined;
}

function untoldBy(
  snapshot: ClusterSnapshot,
  unserved: readonly string[],
  others: readonly ClusterSnapshot[],
): Untold[] {
  const called = new Map(unserved.map((peer) => [peer, calledOtherwise(peer, snapshot, others)]));
  // By the name that it has by now the cluster does not know it.
  const isTold = (name: string) => [...called.values()].some((one) => one && knownAs(one) === name);
  return unserved.flatMap((peer): Untold[] => {
    if (peer === knownAs(snapshot) || isTold(peer)) return [];
    const names = namesAtPeer(peer, snapshot, others) ?? [knownAs(snapshot)];
    if (names.length === 0) return [];
    const isRenamed = (other: ClusterSnapshot) =>
      knownAs(other) === peer && clusterNameOf(other) !== peer && !mayBeAnother(snapshot, other, others);
    // By its name contexts are looked up later: not one that has another by now.
    const renamed = called.get(peer);
    const to = (others.find(isRenamed) ?? renamed)?.context ?? unnamedContext(peer);
    const there = forget(to, names);
    const own = forOtherOwners(there, snapshot.context, peersOfOthers(snapshot));
    // What has the name, and nothing of Cluster Mesh, may also be the peer, as it is since.
    const mayHaveLeft = others.some((other) => knownAs(other) === peer && isPeerByNameAlone(snapshot, other));
    const [alive] = readAsPeer(peer, snapshot, others);
    const also = renamed
      ? `, which is called "${knownAs(renamed)}" by now, is not told, and`
      : alive && ` is there, in context "${alive.context}", is not told, and`;
    const unless = mayHaveLeft ? 'it is gone or has left the mesh' : 'it is gone';
    const owners = own === there ? undefined : own;
    return [{ context: snapshot.context, peer, to, also, unless, dialled: knownAs(snapshot), names, own, owners }];
  });
}
