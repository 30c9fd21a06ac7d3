import { stringify } from 'yaml';
import type { EnableDraft, EnableOptions } from '../../../flows/enable/draft-enable.ts';
import {
  enableViaHelm,
  type HelmOptions,
  helmCommand,
  helmValuesOf,
  stepsBesideHelm,
} from '../../../flows/enable/via-helm.ts';
import type { Target } from '../../../flows/flow.ts';
import { requireNoRotation } from '../../../flows/rotation/rotation-hold.ts';
import { requireSamePeersSince } from '../../../flows/write/require-none-joined.ts';
import { meshctlCommand, shellWord } from '../../../mesh/command-line.ts';
import { requireHandedOver, requireOwnHelm, requireSafeForHelm } from '../../../mesh/enable/helm/safety.ts';
import { exitOfAll, MeshctlError, warningOf } from '../../../mesh/errors.ts';
import { failureData } from '../../../views/enable/enable-view.ts';
import { helmText } from '../../../views/enable/helm-view.ts';
import { stepData } from '../../../views/plan/plan-data.ts';
import { agreedWords, peerData, planBlocks } from '../../../views/plan/plan-view.ts';
import { printable, printableLines } from '../../../views/printable.ts';
import type { Theme } from '../../../views/theme.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { type DryRun, type PlanFlags, refusalBy } from '../../plan-result.ts';
import type { ClusterFlags } from '../../targets/cluster-flags.ts';
import { ENABLE } from './enable-spec.ts';
import { valuesCommand } from './values-of-run.ts';

/** The flags by which Helm is run, as parsed. */
export type HelmFlags = ClusterFlags &
  PlanFlags &
  Pick<FlagsOf<typeof ENABLE>, 'helmRelease' | 'helmChart' | 'helmRepo'>;

const CILIUM_REPOSITORY = 'https://helm.cilium.io';

/**
 * Where a chart is that has but a name: whatever else a chart is called says where it is (ChartPathOptions in Helm's pkg/action).
 * @throws MeshctlError `Usage`
 */
function repositoryOf({ helmChart, helmRepo }: Pick<HelmFlags, 'helmChart' | 'helmRepo'>): string | undefined {
  if (/^\w[\w.-]*$/.test(helmChart)) return helmRepo ?? CILIUM_REPOSITORY;
  if (helmRepo === undefined) return undefined;
  throw new MeshctlError('Usage', `--helm-repo cannot be used with --helm-chart ${helmChart}, which says where it is`, {
    hint: 'Leave --helm-repo out, or give --helm-chart the name that the chart has in that repository.',
  });
}

/** What of a run only meshctl itself can do. */
function beyondHelm({
  settings = [],
  unset = [],
  givenAuthority,
  replaceAuthority,
}: EnableOptions): string | undefined {
  if (settings.length > 0) return '--set';
  if (unset.length > 0) return '--unset';
  if (givenAuthority) return 'A CA of your own';
  return replaceAuthority ? '--replace-ca' : undefined;
}

/** Whether Helm can do what flags ask for. */
export function canHelm(options: EnableOptions): boolean {
  return beyondHelm(options) === undefined;
}

/** Refuses flags that Helm cannot carry out. @throws MeshctlError `Usage` for what only meshctl itself can do */
export function checkHelmOptions(options: EnableOptions, flags: HelmFlags): void {
  const beyond = beyondHelm(options);
  if (beyond !== undefined) {
    throw new MeshctlError('Usage', `${beyond} cannot be used with --via-helm`, {
      hint: 'Helm makes the objects and certificates.',
    });
  }
  repositoryOf(flags);
}

interface PlannedCluster {
  target: Target;
  draft: EnableDraft;
}

/**
 * Where a run may fail in the middle, as Helm is not to be forced: a dry run asks no API server whether it would. None of clusters
 * in which it begins nothing.
 */
export function unforcedWarnings(
  planned: readonly PlannedCluster[],
  options: EnableOptions,
  release: string | undefined,
): string[] {
  if (options.force) return [];
  return planned.flatMap(({ target, draft }) => {
    const { context } = target.client;
    const { force, handOver } = helmValuesOf(draft, options, release);
    const forcing =
      options.forcing?.(context) ??
      meshctlCommand(ENABLE.path.join(' '), { context }, ['--via-helm', '--force-conflicts']);
    return force && handOver === undefined
      ? [
          `context "${context}": Helm applies this release server-side, and changes what meshctl has set only by force; without, a run may ` +
            `fail with the release half upgraded → let it take the fields over: ${forcing}`,
        ]
      : [];
  });
}

/** How Helm is called, by the flags. */
export function helmOptionsOf(
  { env, cwd }: Pick<CommandContext, 'env' | 'cwd'>,
  flags: HelmFlags,
  { force }: EnableOptions,
  dryRun?: DryRun,
): HelmOptions {
  return {
    release: flags.helmRelease,
    chart: flags.helmChart,
    repository: repositoryOf(flags),
    force,
    dryRun: dryRun === 'server',
    kubeconfig: flags.kubeconfig,
    as: flags.as,
    asGroup: flags.asGroup,
    env,
    cwd,
  };
}

/** What Helm is to do, for the question: by which objects, only its chart knows. */
export function helmPlanText(
  planned: readonly PlannedCluster[],
  options: EnableOptions,
  helm: HelmOptions,
  theme: Theme,
): string {
  const blocks = planned.map(({ target, draft }) => {
    const command = ['helm', ...helmCommand(target, draft, helm)].map(shellWord).join(' ');
    const made = helmValuesOf(draft, options, helm.release);
    const { effects, hazards } = draft;
    const report = { steps: stepsBesideHelm(draft, made), effects, hazards };
    return [
      `Runs for context ${theme.bold(target.client.context)}: ${command}`,
      stringify(made.values).trimEnd(),
      ...planBlocks(report, theme),
    ];
  });
  return blocks.flat().join('\n');
}

/** Lets Helm make the mesh in each cluster, one after the other: Helm's output would be mixed up. */
export async function runViaHelm(
  context: CommandContext,
  flags: HelmFlags,
  options: EnableOptions,
  {
    planned,
    warnings,
    noted,
  }: { planned: readonly PlannedCluster[]; warnings: readonly string[]; noted: () => readonly string[] },
  dryRun: DryRun | undefined,
): Promise<CommandResult> {
  for (const { draft } of planned) {
    requireOwnHelm(draft.snapshot, valuesCommand(context, draft.snapshot.context));
    requireSafeForHelm(draft, options.others);
  }
  const helm = helmOptionsOf(context, flags, options, dryRun);
  const valued = planned.map((one) => ({ ...one, made: helmValuesOf(one.draft, options, helm.release) }));
  const clusters = printableLines(
    valued.map(({ target, draft, made }) => ({
      context: target.client.context,
      cluster: { name: draft.identity.name, id: draft.identity.id },
      command: ['helm', ...helmCommand(target, draft, helm)],
      values: made.values,
      steps: stepsBesideHelm(draft, made).map(stepData),
      peers: draft.effects.map(peerData),
      ...(draft.hazards.length > 0 ? { hazards: draft.hazards.map(({ says }) => says) } : {}),
    })),
  );
  const judged = valued.map(async ({ target, draft, made }) => {
    const error = await refusalBy(async () => {
      // A run has looked at that before it asked.
      if (dryRun) await requireNoRotation(context, [target]);
      requireHandedOver(draft.snapshot, made, options.force);
    });
    return error ? [{ context: target.client.context, error }] : [];
  });
  const refused = (await Promise.all(judged)).flat();
  const [refusal] = refused;
  if (refusal && dryRun !== 'client') throw refusal.error;
  for (const { error } of refused) context.progress.warn(warningOf(error));
  if (dryRun) {
    // Who runs it is asked about these.
    for (const { draft } of planned) {
      for (const words of agreedWords(draft)) context.progress.warn(words);
    }
  }
  if (dryRun === 'client') {
    for (const { made } of valued) {
      for (const note of printableLines(made.notes)) context.progress.info(note);
    }
  } else {
    for (const [index, { target, draft }] of planned.entries()) {
      // Helm takes minutes for each one, and who the peers of the next one are was read before.
      if (index > 0) await requireSamePeersSince({ target, snapshot: draft.snapshot });
      await enableViaHelm(context, target, draft, options, helm);
    }
  }
  return {
    kind: 'HelmResult',
    data: {
      ...(dryRun ? { dryRun } : {}),
      clusters,
      ...(refusal ? { failures: refused.map(failureData) } : {}),
      // What a dry run says besides, of refusals and peers, its document has of each cluster.
      warnings: printable([...new Set([...warnings, ...(dryRun ? [] : noted())])]),
    },
    text: (theme) =>
      helmText(
        clusters,
        {
          dryRun,
          refused,
          effects: planned.flatMap(({ draft }) => draft.effects),
          valuesCommand: (of) => valuesCommand(context, of),
        },
        theme,
      ),
    exitCode: exitOfAll(refused.map(({ error }) => error)),
  };
}
