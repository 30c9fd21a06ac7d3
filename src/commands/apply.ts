import { givenAuthorities } from '../flows/enable/enable.ts';
import { applyMesh } from '../flows/file/apply-mesh.ts';
import { concernsOf } from '../flows/file/concerns.ts';
import { differencesOf, inOrder } from '../flows/file/differences-of.ts';
import type { FileMember } from '../flows/file/file-member.ts';
import { type FileOptions, meshWarnings, type PreparedMesh, prepareMesh } from '../flows/file/prepare-mesh.ts';
import { NO_PRUNE, type PreparedPrune, preparePrune } from '../flows/file/prune.ts';
import { changedDrafts, requireApplicable } from '../flows/file/require-applicable.ts';
import { clustersOfMesh, laterStepsOf, stepsOfMesh, targetsOf } from '../flows/file/written-clusters.ts';
import { noting } from '../flows/noting.ts';
import { firstFailure } from '../flows/where-it-succeeds.ts';
import { tryOnServer } from '../flows/write/try-on-server.ts';
import { alikeWarnings } from '../mesh/alike-warnings.ts';
import { exitOf, warningOf } from '../mesh/errors.ts';
import type { AppliedMesh } from '../mesh/file/applied-mesh.ts';
import { countDifferences, pairsOfDials } from '../mesh/file/differences.ts';
import { isOfNoFile } from '../mesh/file/extra.ts';
import { unservedHint } from '../mesh/file/made-elsewhere.ts';
import { foreignObjectNotes, helmValuesAfterwards } from '../mesh/peers/foreign-homes.ts';
import { hazardWords } from '../mesh/plan/agreement.ts';
import { forcingWords, requireForcedAmong } from '../mesh/plan/forcing.ts';
import { mergeEffects } from '../mesh/plan/peer-effects.ts';
import { isChange } from '../mesh/plan/plan.ts';
import { appliedData, appliedText, laterData, laterLines } from '../views/file/apply-view.ts';
import { halvesLeft, pruneWords } from '../views/file/diff-hints.ts';
import { extraWords } from '../views/file/diff-view.ts';
import { cutSentences } from '../views/plan/peer-lines.ts';
import { agreedWords, type PlanReport } from '../views/plan/plan-view.ts';
import { printable } from '../views/printable.ts';
import type { APPLY } from './apply-spec.ts';
import type { CommandContext, CommandResult } from './command.ts';
import { agreeToApply } from './file/agree-to-apply.ts';
import { withFileClusters } from './file/file-clusters.ts';
import { othersOf, withOthersOf } from './file/other-clusters.ts';
import { withOutsideClusters } from './file/outside-clusters.ts';
import { readMeshFiles } from './file/read-mesh-files.ts';
import type { FlagsOf } from './options/flags-of.ts';
import {
  type Agreement,
  confirmCuts,
  dryRunOf,
  PROOF,
  planResult,
  refusalBy,
  refusalByRotation,
} from './plan-result.ts';
import { forcingAmong } from './targets/context-patterns.ts';
import { namingContexts, withMendsNamed } from './targets/contexts-of-clusters.ts';
import { otherClustersOf } from './targets/other-clusters.ts';
import { STANDARD_INPUT } from './text-input.ts';

type ApplyFlags = FlagsOf<typeof APPLY>;

/** For a remote's etcd to let a new peer in. */
const PROOF_MS = 120_000;

/** `meshctl apply`: one plan over all clusters of the files, all of it or nothing. */
export async function run(context: CommandContext, flags: ApplyFlags): Promise<CommandResult> {
  dryRunOf(flags);
  const spec = await readMeshFiles(context, flags);
  return withFileClusters(context, flags, spec, async (members, silent) => {
    // All or nothing: without one of them nothing is written.
    if (silent.length > 0) throw firstFailure(context, silent);
    const contexts = members.map(({ target }) => target.client.context);
    const force = forcingAmong(flags.forceConflicts, contexts);
    requireForcedAmong(force, contexts);
    const options: FileOptions = {
      parallel: flags.parallel,
      skipChecks: flags.skipChecks,
      force,
      forcing: (name) => context.againWithout(['--force-conflicts'], ...forcingWords([name], contexts, force)),
      waitMs: flags.waitDuration,
      readOthers: othersOf(context, flags, members),
      withOthers: withOthersOf(context, flags, members),
      prune: flags.prune,
    };
    const prepared = await prepareMesh(context, members, spec, options);
    return withOutsideClusters(context, flags, prepared, members, async (outside, astray) => {
      const prune = flags.prune
        ? await preparePrune(context, prepared, outside, {
            waitMs: flags.waitDuration,
            parallel: flags.parallel,
            others: otherClustersOf(context, flags, [...members.map(({ target }) => target), ...outside]),
          })
        : NO_PRUNE;
      const hazardsNow = async () => {
        const [anew, lost] = await Promise.all([prepareMesh(context, members, spec, options), prune.hazardsNow()]);
        return [...concernsOf(anew).hazards, ...lost];
      };
      return carryOut(context, flags, options, { prepared, prune, members, astray, hazardsNow });
    });
  });
}

/** What a run is about. */
interface Planned {
  prepared: PreparedMesh;
  prune: PreparedPrune;
  members: readonly FileMember[];
  /** Names of clusters that have gone from the files, and to which no context leads. */
  astray: readonly string[];
  hazardsNow: Agreement['hazardsNow'];
}

async function carryOut(
  context: CommandContext,
  flags: ApplyFlags,
  options: FileOptions,
  { prepared, prune, members, astray, hazardsNow }: Planned,
): Promise<CommandResult> {
  const report = await reportOf(context, flags, { prepared, prune, astray });
  const later = pairsOfDials(prepared.connections.later);
  const judged = { ...options, proof: flags.proof };
  const dryRun = dryRunOf(flags);
  if (dryRun) {
    const targets = targetsOf(prepared, prune);
    const { force } = options;
    const given = new Map(prepared.drafts.flatMap((draft) => [...givenAuthorities(draft.options)]));
    const verdicts =
      dryRun === 'server' ? { verdicts: await tryOnServer(context, targets, report.steps, { force, given }) } : {};
    const inapplicable = await refusalBy(() => requireApplicable(context, prepared, judged));
    if (inapplicable) context.progress.warn(warningOf(inapplicable));
    const refused = await refusalByRotation(
      context,
      { steps: report.steps, targets, parallel: flags.parallel },
      inapplicable,
    );
    const { serve, dial } = prepared.connections.now;
    const connects = later.length > 0 || [...serve.steps, ...dial.steps].some(isChange);
    const onlyInRun = [
      ...(later.length > 0 ? ['connections of clusters that are enabled first'] : []),
      ...(flags.proof && connects ? [PROOF] : []),
    ];
    const result = planResult({ ...report, ...verdicts, onlyInRun }, dryRun, flags.output, refused);
    const data = { ...result.data, unconnected: printable(later), later: laterData(report.laterSteps ?? []) };
    return { ...result, data };
  }
  await requireApplicable(context, prepared, judged);
  const agreement = {
    yes: flags.yes,
    parallel: flags.parallel,
    targets: targetsOf(prepared, prune),
    planned: clustersOfMesh(prepared, prune),
    hazardsNow,
  };
  const { flow, noted } = noting(context);
  await agreeToApply(flow, report, agreement, prune, prepared);
  const told = cutSentences(concernsOf(prepared).effects);
  const applied = await applyMesh(flow, prepared, prune, {
    ...options,
    proof: flags.proof,
    proofMs: PROOF_MS,
    rollback: flags.rollback,
    goOn: againOf(context, flags, ['--dry-run']),
    agree: (unforeseen, planned, unforeseenNow) => {
      told.push(...agreedWords(unforeseen));
      const { steps, effects, hazards } = unforeseen;
      return confirmCuts(
        context,
        { steps, effects, hazards },
        { yes: flags.yes, targets: [], planned, hazardsNow: unforeseenNow, begun: true },
      );
    },
  });
  const warnings = [
    ...new Set([
      ...(report.warnings ?? []),
      ...(await namingContexts(context, flags, [...applied.warnings, ...noted()], astray)),
      ...hazardWords(report.hazards ?? []),
      ...told,
    ]),
  ];
  return resultOf(flags, prepared, { ...applied, warnings }, members);
}

/** The whole plan, with what becomes of connections by all of it. */
async function reportOf(
  context: CommandContext,
  flags: ApplyFlags,
  { prepared, prune, astray }: Omit<Planned, 'members' | 'hazardsNow'>,
): Promise<PlanReport> {
  const { drafts, connections } = prepared;
  const contexts = targetsOf(prepared, prune).map(({ client }) => client.context);
  const steps = inOrder(contexts, stepsOfMesh(prepared, prune));
  const laterSteps = laterStepsOf(prepared);
  const concerns = concernsOf(prepared);
  const effects = mergeEffects([...concerns.effects, ...prune.effects]);
  const ofMesh = meshWarnings(prepared);
  const warnings = [
    ...drafts.flatMap(({ draft: { snapshot, doubts } }) => doubts.map((words) => `${snapshot.context}: ${words}`)),
    ...ofMesh,
    // Of those that are enabled, the plan of enable has said so.
    ...prepared.scaledDown
      .filter(({ mend = '' }) => !ofMesh.some((words) => words.includes(mend)))
      .map((one) => `${one.context}: ${one.says} → ${unservedHint([one])}`),
    ...prune.warnings,
    ...foreignObjectNotes(steps, helmValuesAfterwards),
    ...(flags.prune ? [] : staying(context, flags, prepared)),
  ];
  const named = await namingContexts(context, flags, [...new Set(warnings)], astray);
  for (const warning of alikeWarnings(named)) context.progress.warn(warning);
  const names = new Map(prepared.members.map(({ target, wanted }) => [target.client.context, wanted.name]));
  return {
    steps,
    names,
    warnings: named,
    later: laterLines(pairsOfDials(connections.later), laterSteps, context.theme),
    laterSteps,
    effects: await withMendsNamed(context, flags, effects),
    hazards: [...concerns.hazards, ...prune.hazards],
    notes: Object.fromEntries(changedDrafts(drafts).map(({ draft }) => [draft.snapshot.context, draft.notes])),
  };
}

/** What is as no file says also afterwards: `diff` counts it, so that apply does not pass over it in silence. */
function staying(context: CommandContext, flags: ApplyFlags, prepared: PreparedMesh): string[] {
  const { extra } = differencesOf(prepared);
  const words = extraWords(extra);
  // What takes away shows its plan, and asks.
  const again = againOf(context, flags, ['--dry-run', '--yes'], '--prune');
  const leaving = prepared.extra.leaving.map(({ peer }) => peer).filter((peer) => isOfNoFile(prepared.spec, peer));
  const halfway = [...new Set(leaving)].map((peer) => {
    const unended = `"${peer}" was disconnected by an apply --prune that did not come to its end, and may not be disabled yet`;
    return again === undefined ? unended : `${unended} → ${again}`;
  });
  if (words.length === 0) return halfway;
  const says = `in the clusters, in no file, and left there: ${words.join('; ')}`;
  const halves = halvesLeft(extra).map((half) => `${half.says} → ${half.hint}`);
  return [...halfway, ...halves, again === undefined ? says : `${says} → ${pruneWords(extra)}: ${again}`];
}

/** The line that carries this run out, or goes on with it; undefined where a file came by a pipe: no line has that again. */
function againOf(
  context: CommandContext,
  { filename }: ApplyFlags,
  without: readonly string[],
  ...more: string[]
): string | undefined {
  return filename.includes(STANDARD_INPUT) ? undefined : context.againWithout(without, ...more);
}

function resultOf(
  flags: ApplyFlags,
  prepared: PreparedMesh,
  applied: AppliedMesh,
  members: readonly FileMember[],
): CommandResult {
  const { spec } = prepared;
  const shown = {
    left: flags.prune ? 0 : countDifferences(differencesOf(prepared)).notInFile,
    files: flags.filename,
    meshes: printable(spec.names),
    clusters: members.map(({ wanted: { name, context } }) => ({ name, context })),
    applied,
    dials: spec.dials,
  };
  return {
    kind: 'ApplyResult',
    data: appliedData(shown),
    text: (theme) => appliedText(shown, theme),
    exitCode: exitOf({ failed: applied.failed || applied.stillEnabled.length > 0, unseen: !applied.verified }),
  };
}
