import { disconnectClusters } from '../../../flows/connect/disconnect.ts';
import type { MeshRequest } from '../../../flows/connect/prepare-connect.ts';
import {
  clustersOfParting,
  type DisconnectOptions,
  type PreparedDisconnect,
  prepareDisconnect,
} from '../../../flows/connect/prepare-disconnect.ts';
import { prepareForgetting } from '../../../flows/connect/prepare-forgetting.ts';
import { prepareSparing } from '../../../flows/connect/prepare-sparing.ts';
import { toldApart } from '../../../flows/connect/read-parting.ts';
import type { Target } from '../../../flows/flow.ts';
import { noting } from '../../../flows/noting.ts';
import { type OtherClusters, readLostBackends } from '../../../flows/services/read-lost-backends.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { alikeWarnings } from '../../../mesh/alike-warnings.ts';
import { clusterNameOf } from '../../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../../mesh/cluster-snapshot.ts';
import { meshctlCommand, unnamedContext, unnamedIn } from '../../../mesh/command-line.ts';
import { calledOtherwise, forget, namesAtPeer } from '../../../mesh/connect/dead-cluster.ts';
import { byWhoIsTold } from '../../../mesh/connect/disconnect-plan.ts';
import { exitOf, MeshctlError } from '../../../mesh/errors.ts';
import { knownAs } from '../../../mesh/peers/concerned-peers.ts';
import { isPeerByNameAlone, mayBeAnother } from '../../../mesh/peers/namesakes.ts';
import { peersOfOthers } from '../../../mesh/peers/peer-choices.ts';
import { forOtherOwners } from '../../../mesh/peers/peers-of-others.ts';
import { disconnectText } from '../../../views/connect/disconnect-view.ts';
import { seenData } from '../../../views/connect/seen-data.ts';
import { clusterSteps } from '../../../views/plan/plan-data.ts';
import { agreedWords, peersData } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { confirmPlan, dryRunOf, planResult, refusalByRotation } from '../../plan-result.ts';
import { namingContexts } from '../../targets/contexts-of-clusters.ts';
import { sayLeftOut } from '../../targets/each-cluster.ts';
import { withMesh } from '../../targets/mesh-targets.ts';
import { otherClustersOf } from '../../targets/other-clusters.ts';
import { withOneCluster, withUnanswered } from '../../targets/several-clusters.ts';
import type { DISCONNECT } from './disconnect-spec.ts';

/** `meshctl clustermesh disconnect`: parts clusters, on both sides or, with `--peer`, on one. */
export async function run(context: CommandContext, flags: FlagsOf<typeof DISCONNECT>): Promise<CommandResult> {
  const { force, parallel, rollback, wait, waitDuration } = flags;
  const options: DisconnectOptions = {
    force,
    parallel,
    rollback,
    waitMs: wait ? waitDuration : undefined,
    spare: flags.all,
  };
  const { peer } = flags;
  if (!peer) {
    if (flags.ignoreNotFound) throw new MeshctlError('Usage', '--ignore-not-found is for names of clusters (--peer)');
    return withMesh(context, flags, 'disconnect', async (request, silent) => {
      const others = otherClustersOf(context, flags, targetsOf(request));
      // A dry run that asks no API server does not know what they would refuse.
      const prepare = flags.all && !force && dryRunOf(flags) !== 'client' ? prepareSparing : prepareDisconnect;
      const prepared = await prepare(context, request, { ...options, readOthers: others.read });
      sayLeftOut(context, prepared.spared);
      return withUnanswered(await carryOut(context, flags, prepared, options, others), [...silent, ...prepared.spared]);
    });
  }
  if (flags.all || flags.destinationContext) {
    throw new MeshctlError(
      'Usage',
      '--peer cannot be used with --destination-context or --all: it is for one side only',
    );
  }
  return withOneCluster(context, flags, async (source) => {
    const mode = flags.connectionMode ?? 'bidirectional';
    const others = otherClustersOf(context, flags, [source]);
    const prepared = await prepareForgetting(context, source, peer, mode, {
      readOthers: others.read,
      ignoreNotFound: flags.ignoreNotFound,
      ignoring: context.againWithout([], '--ignore-not-found'),
    });
    const isAnyUntold = prepared.partings.some(({ unserved }) => unserved.length > 0);
    const known = isAnyUntold ? await others.read() : [];
    const { notes, astray } = await untoldNotes(source, prepared, known);
    const named = await namingContexts(context, flags, notes, astray);
    // Of one that is nobody here, and to which no context leads, there is nothing to type, nor to tell.
    const untold = named.filter((note) => !unnamedIn(note).some((name) => prepared.unknown.includes(name)));
    const said = { warnings: [...prepared.warnings, ...untold], standing: untold };
    return carryOut(context, flags, { ...prepared, ...said }, options, others);
  });
}

/**
 * Whoever was forgotten by name goes on as before, if it is there; one that knows nothing of it any more does not, nor does the
 * cluster itself, whose own name may be left there.
 * @returns `astray`: names by which contexts lead to another cluster, which is not to be told
 */
async function untoldNotes(
  { client }: Target,
  { partings }: PreparedDisconnect,
  others: readonly ClusterSnapshot[],
): Promise<{ notes: string[]; astray: string[] }> {
  const read = await Promise.all(
    partings.map(async (one) => ({ ...one, snapshot: await toldApart(client, one.snapshot, others) })),
  );
  const astray = read.flatMap(({ snapshot, unserved }) =>
    unserved.filter((peer) => others.some((other) => knownAs(other) === peer && mayBeAnother(snapshot, other, others))),
  );
  const notes = read.flatMap(({ snapshot, unserved }) => {
    const called = new Map(unserved.map((peer) => [peer, calledOtherwise(peer, snapshot, others)]));
    // By the name that it has by now the cluster does not know it.
    const isTold = (name: string) => [...called.values()].some((one) => one && knownAs(one) === name);
    return unserved.flatMap((peer) => {
      if (peer === knownAs(snapshot) || isTold(peer)) return [];
      const names = namesAtPeer(peer, snapshot, others) ?? [knownAs(snapshot)];
      if (names.length === 0) return [];
      const isRenamed = (other: ClusterSnapshot) =>
        knownAs(other) === peer && clusterNameOf(other) !== peer && !mayBeAnother(snapshot, other, others);
      // By its name contexts are looked up later: not one that has another by now.
      const renamed = called.get(peer);
      const there = forget((others.find(isRenamed) ?? renamed)?.context ?? unnamedContext(peer), names);
      const own = forOtherOwners(there, snapshot.context, peersOfOthers(snapshot));
      // What has the name, and nothing of Cluster Mesh, may also be the peer, as it is since.
      const mayHaveLeft = others.some((other) => knownAs(other) === peer && isPeerByNameAlone(snapshot, other));
      if (renamed)
        return `"${peer}", which is called "${knownAs(renamed)}" by now, is not told, and goes on dialling "${knownAs(snapshot)}" → ${own}`;
      const unless = mayHaveLeft ? 'it is gone or has left the mesh' : 'it is gone';
      return `"${peer}" is not told, and unless ${unless} it goes on dialling "${knownAs(snapshot)}" → ${own}`;
    });
  });
  return { notes, astray };
}

function targetsOf({ source, destinations }: MeshRequest): readonly Target[] {
  return source ? [source, ...destinations] : destinations;
}

async function carryOut(
  context: CommandContext,
  flags: FlagsOf<typeof DISCONNECT>,
  plan: PreparedDisconnect,
  options: DisconnectOptions,
  others: OtherClusters,
): Promise<CommandResult> {
  const dryRun = dryRunOf(flags);
  const readLost = () => readLostBackends(context, plan.targets, plan, others, flags.parallel);
  const { hazards, unseen } = await readLost();
  const known = [...plan.warnings, ...unseen];
  const prepared = { ...plan, warnings: known };
  const { effects } = prepared;
  const { steps: planned } = prepared.plan;
  const names = new Map(plan.partings.map(({ snapshot }) => [snapshot.context, knownAs(snapshot)]));
  const report = { steps: planned, names, ...(effects.length > 0 ? { effects } : {}), hazards, warnings: known };
  for (const warning of alikeWarnings(known)) context.progress.warn(warning);
  if (dryRun) {
    const verdicts = dryRun === 'server' ? await tryOnServer(context, prepared.targets, planned) : undefined;
    const held = { steps: planned, targets: prepared.targets, parallel: flags.parallel };
    const refused = await refusalByRotation(context, held);
    return planResult({ ...report, ...(verdicts ? { verdicts } : {}) }, dryRun, flags.output, refused);
  }
  const agreement = {
    question: 'Disconnect these clusters?',
    yes: flags.yes,
    parallel: flags.parallel,
    targets: prepared.targets,
    planned: clustersOfParting(prepared),
    hazardsNow: async () => (await readLost()).hazards,
  };
  const { flow, noted } = noting(context);
  await confirmPlan(flow, report, agreement);
  const { steps, verified, letIn, ...outcome } = await disconnectClusters(flow, prepared, options);
  const look = meshctlCommand('clustermesh status', { context: prepared.targets.map(({ client }) => client.context) });
  const { seen, unlooked } = seenData(verified, flags.wait, look);
  for (const words of unlooked) context.progress.warn(words);
  const { ended, shutOut, standing, warnings } = printable({
    ...byWhoIsTold(outcome.parted, prepared.partings),
    standing: prepared.standing ?? [],
    warnings: [...new Set([...outcome.warnings, ...agreedWords(report), ...noted(), ...unlooked])],
  });
  const reached = agreement.planned.map(({ target }) => target);
  const unreached = prepared.targets.filter((one) => !reached.includes(one)).map(({ client }) => client.context);
  return {
    kind: 'DisconnectResult',
    data: {
      disconnected: ended,
      ...(shutOut.length > 0 ? { shutOut } : {}),
      ...(unreached.length > 0 ? { unreached } : {}),
      ...peersData(effects),
      steps: clusterSteps(steps),
      warnings,
      ...seen,
    },
    text: (theme) =>
      disconnectText({ ended, shutOut, standing, steps, verified, looked: flags.wait, unreached }, theme),
    exitCode: exitOf({ failed: letIn, unseen: !verified }),
  };
}
