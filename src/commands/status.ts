import { explainProblems } from '../flows/explain-status.ts';
import { pollStatus } from '../flows/poll-status.ts';
import type { ClusterClient } from '../kube/client.ts';
import { sleep } from '../kube/retry.ts';
import { evaluateStatus, type StatusReport } from '../mesh/status.ts';
import { statusText } from '../views/status-view.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';

interface StatusOptions extends ClusterFlags {
  context?: string;
  wait: boolean;
  /** Milliseconds. */
  waitDuration: number;
  parallel: number;
  /** Milliseconds. */
  nodeTimeout: number;
}

/** How long between two looks with --wait. */
const LOOK_INTERVAL_MS = 1000;

/** `meshctl clustermesh status`: exit 0 only when every node is connected to every configured peer. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const options = parsed as unknown as StatusOptions;
  const report = await withClusters(context, options, [options.context], async ([client]) =>
    client ? watchUntilHealthy(context, client, options) : undefined,
  );
  if (!report) throw new Error('no cluster was opened');
  return {
    kind: 'StatusReport',
    data: { ...report },
    text: (theme) => statusText(report, options.namespace, theme),
    exitCode: report.healthy ? 0 : 1,
  };
}

/** One look, or with --wait as many as it takes; the last report is the result, healthy or not. */
async function watchUntilHealthy(
  context: CommandContext,
  client: ClusterClient,
  options: StatusOptions,
): Promise<StatusReport> {
  const deadline = Date.now() + (options.wait ? options.waitDuration : 0);
  const { namespace, parallel, nodeTimeout } = options;
  const task = context.progress.start(`Asking the agents of ${client.context}`);
  try {
    for (;;) {
      const input = await pollStatus(context, { client, namespace }, { parallel, nodeTimeoutMs: nodeTimeout });
      const report = evaluateStatus(input);
      if (report.healthy) return report;
      if (Date.now() + LOOK_INTERVAL_MS > deadline) return explainProblems(context, { client, namespace }, report);
      task.update(waitingFor(report));
      await sleep(LOOK_INTERVAL_MS, context.signal);
    }
  } finally {
    task.stop();
  }
}

function waitingFor({ context, nodes, peers, enabled }: StatusReport): string {
  if (!enabled) return `Waiting for Cluster Mesh to be enabled in ${context}`;
  if (peers.length === 0) return `Waiting for ${context} to be connected to a cluster`;
  const lacking = peers.filter(({ agents }) => agents.connected < agents.total).map(({ name }) => name);
  return `Waiting for ${nodes.total - nodes.connected} of ${nodes.total} nodes of ${context} to connect to ${lacking.join(', ') || 'all clusters'}`;
}
