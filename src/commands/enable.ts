import { enableCluster } from '../flows/enable.ts';
import { allOrFirstError } from '../flows/parallel.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { ServiceType } from '../mesh/service-type.ts';
import { parseVersion } from '../mesh/versions.ts';
import { enableText } from '../views/enable-view.ts';
import { stepData } from '../views/plan-view.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { parseSwitch } from './option-values.ts';

interface EnableFlags extends ClusterFlags {
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
  const outcomes = await withClusters(context, flags, flags.context ?? [undefined], (clients) =>
    allOrFirstError(
      clients.map((client) => enableCluster(context, { client, namespace: flags.namespace }, options)),
      context.progress,
    ),
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
