import { execIn, execInside, type TestSandbox } from './sandbox-mesh.ts';

/** What an agent or KVStoreMesh says of a peer. */
export interface PeerReport {
  name: string;
  ready?: boolean;
  connected?: boolean;
  status: string;
  config?: Record<string, unknown>;
  synced?: Record<string, boolean>;
  'num-nodes'?: number;
  'num-failures'?: number;
}

/** The agents' reports on their peers, of the first node. */
export async function agentReports(sandbox: TestSandbox, context: string): Promise<PeerReport[]> {
  const { stdout } = await execInside(sandbox, context, 'cilium', 'cilium-agent', ['cilium', 'status', '-o', 'json']);
  return (JSON.parse(stdout) as { 'cluster-mesh'?: { clusters?: PeerReport[] } })['cluster-mesh']?.clusters ?? [];
}

/** KVStoreMesh's reports on its peers, of the first replica. */
export async function kvstoremeshReports(sandbox: TestSandbox, context: string): Promise<PeerReport[]> {
  const command = ['/usr/bin/clustermesh-apiserver', 'kvstoremesh-dbg', 'status', '-o', 'json'];
  const { stdout } = await execInside(sandbox, context, 'clustermesh-apiserver', 'kvstoremesh', command);
  return JSON.parse(stdout) as PeerReport[];
}

/** What the agents' `troubleshoot` says of a peer. */
export async function troubleshoot(sandbox: TestSandbox, context: string): Promise<string> {
  const command = ['cilium-dbg', 'troubleshoot', 'clustermesh'];
  return (await execIn(sandbox, context, 'cilium', 'cilium-agent', command)).stdout;
}

/**
 * What agents and KVStoreMesh say where they do not say of each peer that they are connected to it, and why one says nothing.
 * @param dialled how many peers the clusters dial, by their contexts
 * @param readers the programs that dial
 * @returns none where all are connected
 */
export async function troubleWithPeers(
  sandbox: TestSandbox,
  dialled: Readonly<Record<string, number>>,
  readers: readonly (typeof agentReports)[] = [agentReports, kvstoremeshReports],
): Promise<string[]> {
  const asked = Object.entries(dialled).flatMap(([context, count]) =>
    readers.map(async (reportsOf) => {
      const reports = await reportsOf(sandbox, context);
      if (reports.length === count && reports.every(({ ready }) => ready === true)) return [];
      return [`${context}: ${JSON.stringify(reports)}`];
    }),
  );
  const answers = await Promise.allSettled(asked);
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [String(answer.reason)]));
}
