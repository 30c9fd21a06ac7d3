import type { Target } from '../flows/flow.ts';
import type { EnableDraft, EnableOptions } from '../flows/plan-enable.ts';
import { enableViaHelm, type HelmOptions, helmCommand, helmValuesOf } from '../flows/via-helm.ts';
import { meshctlCommand } from '../mesh/command-line.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { printableLines } from '../views/printable.ts';
import type { ClusterFlags } from './cluster-flags.ts';
import type { CommandContext, CommandResult } from './command.ts';
import type { DryRun, PlanFlags } from './plan-result.ts';

/** The flags about Helm, as parsed. */
export interface HelmFlags extends ClusterFlags, PlanFlags {
  viaHelm: boolean;
  helmRelease?: string;
  helmChart: string;
  helmRepo: string;
}

const DEFAULT_CHART = 'cilium';

/** @throws MeshctlError `Usage` for what only meshctl itself can do */
export function checkHelmOptions(options: EnableOptions): void {
  const refuse = (flag: string) =>
    new MeshctlError('Usage', `${flag} does not go with --via-helm`, {
      hint: 'Helm makes the objects and certificates.',
    });
  if ((options.settings ?? []).length > 0) throw refuse('--set');
  if (options.givenAuthority) throw refuse('A CA of your own');
  if (options.replaceAuthority) throw refuse('--replace-ca');
  if (options.force) throw refuse('--force-conflicts');
}

/** Lets Helm make the mesh in each cluster, one after the other: Helm's output would be mixed up. */
export async function runViaHelm(
  context: CommandContext,
  flags: HelmFlags,
  options: EnableOptions,
  planned: readonly { target: Target; draft: EnableDraft }[],
  dryRun: DryRun | undefined,
): Promise<CommandResult> {
  const helm: HelmOptions = {
    release: flags.helmRelease,
    chart: flags.helmChart,
    repository: flags.helmChart === DEFAULT_CHART ? flags.helmRepo : undefined,
    dryRun: dryRun === 'server',
    kubeconfig: flags.kubeconfig,
    as: flags.as,
    asGroup: flags.asGroup,
    env: context.env,
    cwd: context.cwd,
  };
  const clusters = printableLines(
    planned.map(({ target, draft }) => ({
      context: target.client.context,
      cluster: { name: draft.identity.name, id: draft.identity.id },
      command: ['helm', ...helmCommand(target, draft, helm)],
      values: helmValuesOf(draft, options).values,
    })),
  );
  if (dryRun !== 'client') {
    for (const { target, draft } of planned) await enableViaHelm(context, target, draft, options, helm);
  }
  return {
    kind: 'HelmResult',
    data: { ...(dryRun ? { dryRun } : {}), clusters },
    text: (theme) =>
      clusters
        .map(({ context: name, cluster, command }) =>
          dryRun
            ? `Would run for context ${theme.bold(name)}: ${command.join(' ')}\n  with the values of: ${meshctlCommand('clustermesh helm-values', { context: name })}`
            : `✅ Cluster Mesh is enabled in ${theme.bold(cluster.name)} (context ${name}, id ${cluster.id}) by Helm`,
        )
        .join('\n'),
  };
}
