import type { Target } from '../../../flows/flow.ts';
import { endingWithCa } from '../../../flows/invitation/pending.ts';
import { isOfOtherOwner } from '../../../flows/invitation/read-invitations.ts';
import { isRenewalDue } from '../../../flows/invitation/renewal-due.ts';
import { noting } from '../../../flows/noting.ts';
import {
  makeSuccessors,
  type PreparedRotation,
  prepareRotation,
  type RotateOptions,
  requireUnowned,
} from '../../../flows/rotation/prepare-rotation.ts';
import { rotateCertificates } from '../../../flows/rotation/rotate-certificates.ts';
import { forcingCommand } from '../../../flows/rotation/what-stands.ts';
import { plannedClusters, requireNoneJoinedSince } from '../../../flows/write/require-none-joined.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { alikeWarnings } from '../../../mesh/alike-warnings.ts';
import { clockHazards } from '../../../mesh/certificates/clock-hazards.ts';
import { validityWarnings } from '../../../mesh/certificates/cluster-certificates.ts';
import { namesByContext } from '../../../mesh/connect/member.ts';
import { MeshctlError, warningOf } from '../../../mesh/errors.ts';
import { foreignObjectNotes } from '../../../mesh/peers/foreign-homes.ts';
import { agreementClauses } from '../../../mesh/plan/agreement.ts';
import { isChange, type Step } from '../../../mesh/plan/plan.ts';
import { helmUpgradeNotes } from '../../../mesh/rotation/helm-upgrades.ts';
import { finishedBy } from '../../../mesh/rotation/phases.ts';
import { unfinishedRotations } from '../../../mesh/rotation/unfinished-rotation.ts';
import { silentContexts } from '../../../mesh/status/mesh-status.ts';
import { agreedWords, peersData, planText } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import { leftLines, rotationText, unsignedLines } from '../../../views/rotation/rotation-view.ts';
import type { Theme } from '../../../views/theme.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { bitsOf } from '../../options/shared-options.ts';
import {
  confirmCuts,
  type DryRun,
  dryRunOf,
  type PlanFlags,
  PROOF,
  planResult,
  refusalBy,
  refusalByRotation,
} from '../../plan-result.ts';
import { forcingAmong } from '../../targets/context-patterns.ts';
import { contextsFor } from '../../targets/contexts-of-clusters.ts';
import { sayLeftOut } from '../../targets/each-cluster.ts';
import { readerOfOthers } from '../../targets/other-clusters.ts';
import { unreachableData, withChosenClusters, withUnanswered } from '../../targets/several-clusters.ts';
import { inviteOwner } from '../invitations/invite-owner.ts';
import type { CERTS_ROTATE } from './rotate-spec.ts';

type RotateFlags = FlagsOf<typeof CERTS_ROTATE>;

/** `meshctl clustermesh certs rotate`: new certificates for clusters and peers; with --ca, new CAs, phase by phase. */
export async function run(context: CommandContext, flags: RotateFlags): Promise<CommandResult> {
  const base = {
    ...optionsOf(flags),
    contextsOf: contextsFor(context, flags),
    readOthers: (targets: readonly Target[]) => readerOfOthers(context, flags, targets)(),
  };
  const dryRun = dryRunOf(flags);
  return withChosenClusters(context, flags, async (targets, silent) => {
    const [only] = targets.length === 1 ? targets : [];
    const { peer } = flags;
    if (only && peer !== undefined && (await isOfOtherOwner(only, peer))) {
      return askOwner(context, only, peer, flags);
    }
    const contexts = targets.map(({ client }) => client.context);
    const force = forcingAmong(base.force, contexts) ?? false;
    const options = { ...base, force, spare: flags.all, silent: silentContexts(unreachableData(silent)) };
    const prepared = await prepareRotation(context, targets, options);
    const missing = [...silent, ...prepared.spared];
    sayLeftOut(context, prepared.spared);
    const { replace } = prepared.scope;
    const replaced = prepared.targets.filter(({ client }) => replace.has(client.context));
    const ending = await Promise.all(replaced.map((target) => endingWithCa(context, target)));
    const warnings = [
      ...validityWarnings(options.asked.validityMs),
      ...prepared.scope.warnings,
      ...ending.flat(),
      ...usersLeft([...replace]),
      ...notesOnTools(prepared, options),
    ];
    for (const warning of alikeWarnings(warnings)) context.progress.warn(warning);
    if (dryRun)
      return withUnanswered(await showPlan(context, prepared, options, { ...flags, dryRun, warnings }), missing);
    if (replace.size > 0 && !flags.yes) await confirmNewAuthorities(context, prepared);
    else await confirmClocks(context, prepared, flags.yes);
    const { flow, noted } = noting(context);
    const outcome = await rotateCertificates(flow, prepared, options);
    const certificates = printable(outcome.certificates);
    const finished = finishedBy(outcome.steps);
    const { parted } = outcome;
    const { unsigned, left, unissued, midway, staying, switching } = prepared.scope;
    const end = printable({
      replaced: finished.filter((one) => !staying.has(one) && !switching.has(one)),
      staying: finished.filter((one) => staying.has(one)),
      switched: finished.filter((one) => switching.has(one)),
    });
    const isByAge = options.olderThanMs !== undefined;
    const text = (theme: Theme) =>
      rotationText(certificates, { ...end, parted, unsigned, left, unissued, midway, isByAge }, theme);
    const data = {
      certificates,
      ...(parted.length > 0 ? { parted } : {}),
      ...peersData(prepared.effects),
      ...endData(end),
      ...stayingData(prepared.scope),
      warnings: printable([...new Set([...warnings, ...agreedWords(reportOf(prepared, context.now())), ...noted()])]),
    };
    const isInVain = isLeftAltogether(prepared, options, outcome.steps);
    const exitCode = unsigned.length + unissued.length + midway.length > 0 || isInVain ? 1 : 0;
    return withUnanswered({ kind: 'RotationResult', data, text, exitCode }, missing);
  });
}

/**
 * Whether a run makes nothing anew of what was asked for, since others make all of it. What is only to be renewed once it is old they
 * renew in their own time.
 */
function isLeftAltogether(
  { scope }: PreparedRotation,
  { olderThanMs }: RotateOptions,
  steps: readonly Step[],
): boolean {
  return olderThanMs === undefined && scope.left.length > 0 && !steps.some(isChange);
}

/** What a rotation of CAs has come to, by contexts. */
function endData(end: Record<'replaced' | 'staying' | 'switched', readonly string[]>) {
  return Object.fromEntries(Object.entries(end).filter(([, contexts]) => contexts.length > 0));
}

type Staying = Pick<PreparedRotation['scope'], 'unsigned' | 'left' | 'unissued' | 'midway'>;

/** What is due, or was asked for, and stays as it is. */
function stayingData({ unsigned, left, unissued, midway }: Staying): Partial<Staying> {
  return printable({
    ...(unsigned.length > 0 ? { unsigned } : {}),
    ...(left.length > 0 ? { left } : {}),
    ...(unissued.length > 0 ? { unissued } : {}),
    ...(midway.length > 0 ? { midway } : {}),
  });
}

/** As long as an invitation is good by default. */
const RENEWAL_VALID_MS = 24 * 60 * 60 * 1000;

/** The CA of a peer is another owner's: certificates are asked of them, as when it was joined. */
async function askOwner(
  context: CommandContext,
  target: Target,
  peer: string,
  flags: RotateFlags,
): Promise<CommandResult> {
  const { olderThan, keySize, certValidity, output } = flags;
  const dryRun = dryRunOf(flags);
  if (certValidity !== undefined) {
    throw new MeshctlError('Usage', `how long a certificate for dialling ${peer} is valid, its owner decides`, {
      hint: 'Leave --cert-validity out.',
    });
  }
  if (olderThan !== undefined && !(await isRenewalDue(context, target, peer, olderThan))) {
    if (dryRun) return planResult({ steps: [] }, dryRun, output);
    const nothing = {
      replaced: [],
      staying: [],
      switched: [],
      parted: [],
      unsigned: [],
      left: [],
      unissued: [],
      midway: [],
      isByAge: true,
    };
    return {
      kind: 'RotationResult',
      data: { certificates: [], warnings: [] },
      text: (theme) => rotationText([], nothing, theme),
    };
  }
  const readOthers = readerOfOthers(context, flags, [target]);
  const options = { validMs: RENEWAL_VALID_MS, invited: peer, keySize: bitsOf(keySize), readOthers };
  return inviteOwner(context, target, options, { dryRun, output });
}

function optionsOf(flags: RotateFlags): RotateOptions {
  const { ca, olderThan, peer } = flags;
  const partial = [...(olderThan === undefined ? [] : ['--older-than']), ...(peer === undefined ? [] : ['--peer'])];
  if (ca && partial.length > 0) {
    throw new MeshctlError('Usage', `--ca renews everything, so it cannot be used with ${partial.join(' and ')}`, {
      hint: 'Leave one of them out.',
    });
  }
  return {
    ca,
    olderThanMs: olderThan,
    peer,
    force: flags.forceConflicts ?? false,
    asked: { keySize: bitsOf(flags.keySize), validityMs: flags.certValidity },
    parallel: flags.parallel,
    waitMs: flags.waitDuration,
  };
}

function reportOf({ phases, effects, scope, members }: PreparedRotation, now: Date) {
  const steps = phases.flatMap(({ steps }) => steps);
  const hazards = clockHazards({ snapshots: members.map(({ snapshot }) => snapshot), steps, now });
  return { steps, names: namesByContext(members), notes: scope.notes, effects, hazards };
}

/** What tools make of what they own, of a CA that is being replaced with what to leave alone meanwhile. */
function notesOnTools(prepared: PreparedRotation, options: RotateOptions): string[] {
  const snapshots = prepared.members.map(({ snapshot }) => snapshot);
  const unfinished = unfinishedRotations(snapshots).map(({ context }) => context);
  const changing = snapshots.filter(
    ({ context }) => prepared.scope.replace.has(context) || unfinished.includes(context),
  );
  const upgrades = helmUpgradeNotes(changing, (contexts) => forcingCommand(prepared, options, contexts));
  if (upgrades.length > 0) return upgrades;
  return foreignObjectNotes(prepared.phases.flatMap(({ steps }) => steps));
}

async function showPlan(
  context: CommandContext,
  prepared: PreparedRotation,
  options: RotateOptions,
  { dryRun, output, warnings }: Pick<PlanFlags, 'output'> & { dryRun: DryRun; warnings: readonly string[] },
): Promise<CommandResult> {
  const report = { ...reportOf(prepared, context.now()), warnings };
  const owned = await refusalBy(() =>
    requireUnowned(prepared.phases, (contexts) => forcingCommand(prepared, options, contexts)),
  );
  if (owned) context.progress.warn(warningOf(owned));
  const { steps } = report;
  // One at a time, also in clusters to which this one writes nothing.
  const marked = { steps, targets: steps.some(isChange) ? prepared.targets : [], besides: true };
  const refused = await refusalByRotation(context, { ...marked, parallel: options.parallel }, owned);
  const staying = {
    ...prepared.scope,
    isByAge: options.olderThanMs !== undefined,
    isInVain: isLeftAltogether(prepared, options, report.steps),
  };
  if (dryRun === 'client') return withStaying(planResult(report, dryRun, output, refused), staying);
  // CAs that are thrown away: nothing that is made for a dry run is kept.
  const given = await makeSuccessors(context, report.steps);
  const verdicts = await tryOnServer(context, prepared.targets, report.steps, { given });
  const onlyInRun = report.steps.some(isChange) ? [PROOF] : [];
  return withStaying(planResult({ ...report, verdicts, onlyInRun }, dryRun, output, refused), staying);
}

/** A plan by which something that is due, or was asked for, stays as it is ends as its run does. */
function withStaying(result: CommandResult, scope: Staying & { isByAge: boolean; isInVain: boolean }): CommandResult {
  const staying = stayingData(scope);
  const { unsigned = [], left = [], unissued = [], midway = [] } = staying;
  const lines = (theme: Theme) => [
    ...unsignedLines([...unsigned, ...unissued, ...midway], theme),
    ...leftLines({ left, isByAge: scope.isByAge }, theme),
  ];
  return {
    ...result,
    data: { ...result.data, ...staying },
    text: (theme) => [result.text(theme), ...lines(theme)].join('\n'),
    exitCode: result.exitCode || (unsigned.length + unissued.length + midway.length > 0 || scope.isInVain ? 1 : 0),
  };
}

/** A CA is replaced for good: everything else that trusts it has to get the new one from its own tool. */
function usersLeft(contexts: readonly string[]): string[] {
  if (contexts.length === 0) return [];
  return [
    `${contexts.join(', ')}: what else uses Secret cilium-ca, as Hubble does, keeps its certificates from the former CA until its own tool renews them`,
  ];
}

/** Nobody is cut off by a rotation, but by a clock by which new certificates are not valid. */
function confirmClocks(context: CommandContext, prepared: PreparedRotation, yes: boolean): Promise<void> {
  const { steps, hazards } = reportOf(prepared, context.now());
  return confirmCuts(context, { steps, hazards }, { yes, targets: [], planned: [], hazardsNow: async () => hazards });
}

function cutWords({ effects }: PreparedRotation): string {
  return agreementClauses({ effects }).join('; ') || 'no peer is cut off';
}

async function confirmNewAuthorities(context: CommandContext, prepared: PreparedRotation): Promise<void> {
  const about = [
    planText(reportOf(prepared, context.now()), context.theme),
    `The clustermesh-apiserver pods are replaced one by one, twice; no agent restarts, ${cutWords(prepared)}.`,
  ].join('\n');
  const agreed = await context.confirm('Replace the CAs?', about);
  if (!agreed) throw new MeshctlError('Declined', 'nothing was changed: the new CAs were not confirmed');
  const snapshots = prepared.members.map(({ snapshot }) => snapshot);
  await requireNoneJoinedSince(plannedClusters(prepared.targets, snapshots));
}
