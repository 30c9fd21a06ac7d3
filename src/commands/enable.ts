import { type EnableOptions, enableCluster, planEnableCluster } from '../flows/enable.ts';
import type { Target } from '../flows/flow.ts';
import { allOrFirstError } from '../flows/parallel.ts';
import { tryOnServer } from '../flows/try-on-server.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { ServiceType } from '../mesh/service-type.ts';
import { parseVersion } from '../mesh/versions.ts';
import { enableText } from '../views/enable-view.ts';
import { stepData } from '../views/plan-data.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { parseSwitch } from './option-values.ts';
import { dryRunOf, type PlanFlags, planResult } from './plan-result.ts';

interface EnableFlags extends ClusterFlags, PlanFlags {
  context?: string[];
  serviceType?: ServiceType;
  serviceAnnotation?: [key: string, value: string][];
  nodePort?: number;
  replicas?: number;
  enableKvstoremesh?: 'true' | 'false' | true;
  ciliumVersion?: string;
  image?: string;
  /** Milliseconds. */
  waitDuration: number;
}

/** `meshctl clustermesh enable`: all named clusters in parallel. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as EnableFlags;
  const options = {
    serviceType: flags.serviceType,
    serviceAnnotations: flags.serviceAnnotation && Object.fromEntries(flags.serviceAnnotation),
    nodePort: flags.nodePort,
    replicas: flags.replicas,
    kvstoremesh: parseSwitch(flags.enableKvstoremesh),
    ciliumVersion: versionOf(flags),
    image: flags.image,
    waitMs: flags.waitDuration,
  };
  const dryRun = dryRunOf(flags);
  return withClusters(context, flags, flags.context ?? [undefined], async (clients) => {
    const targets = clients.map((client) => ({ client, namespace: flags.namespace }));
    return dryRun ? plan(context, targets, options, flags) : enable(context, targets, options);
  });
}

async function plan(
  context: CommandContext,
  targets: readonly Target[],
  options: EnableOptions,
  flags: EnableFlags,
): Promise<CommandResult> {
  const plans = await allOrFirstError(
    targets.map(async (target) => planEnableCluster(context, target, options)),
    context.progress,
  );
  const steps = plans.flatMap((one) => one.steps);
  const notes = Object.fromEntries(targets.map(({ client }, index) => [client.context, plans[index]?.notes ?? []]));
  const dryRun = dryRunOf(flags);
  const verdicts = dryRun === 'server' ? { verdicts: await tryOnServer(context, targets, steps) } : {};
  return planResult({ steps, notes, ...verdicts }, dryRun ?? 'client', flags.output);
}

async function enable(
  context: CommandContext,
  targets: readonly Target[],
  options: EnableOptions,
): Promise<CommandResult> {
  const outcomes = await allOrFirstError(
    targets.map((target) => enableCluster(context, target, options)),
    context.progress,
  );
  const clusters = outcomes.map((outcome) => ({ ...outcome, steps: outcome.steps.map(stepData) }));
  return { kind: 'EnableResult', data: { clusters }, text: (theme) => enableText(outcomes, theme) };
}

function versionOf({ ciliumVersion, nodePort, serviceType }: EnableFlags) {
  if (nodePort !== undefined && serviceType !== undefined && serviceType !== 'NodePort') {
    throw new MeshctlError('Usage', `--node-port does not go with --service-type ${serviceType}`);
  }
  if (ciliumVersion === undefined) return undefined;
  const version = parseVersion(ciliumVersion);
  if (!version) {
    throw new MeshctlError('Usage', `--cilium-version "${ciliumVersion}" is not a version`, {
      hint: 'Write it like 1.20.0',
    });
  }
  return version;
}
