import { connectClusters } from '../flows/connect.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { connectText } from '../views/connect-view.ts';
import { stepData } from '../views/plan-data.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';

interface ConnectFlags extends ClusterFlags {
  context?: string;
  destinationContext: string[];
  /** Milliseconds. */
  waitDuration: number;
}

/** `meshctl clustermesh connect`: joins the clusters of the contexts with each other. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as ConnectFlags;
  const outcome = await withClusters(context, flags, [flags.context, ...flags.destinationContext], (clients) => {
    const names = clients.map((client) => client.context);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice) {
      throw new MeshctlError('Usage', `context "${twice}" is named twice: a cluster cannot be connected with itself`);
    }
    const targets = clients.map((client) => ({ client, namespace: flags.namespace }));
    return connectClusters(context, targets, { proofMs: flags.waitDuration });
  });
  return {
    kind: 'ConnectResult',
    data: {
      clusters: outcome.clusters,
      steps: outcome.steps.map((step) => ({ cluster: step.cluster, ...stepData(step) })),
    },
    text: (theme) => connectText(outcome, theme),
  };
}
