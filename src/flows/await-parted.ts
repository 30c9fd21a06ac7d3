import pLimit from 'p-limit';
import { sleep } from '../kube/retry.ts';
import type { Parting } from '../mesh/disconnect-plan.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { AGENT_CONTAINER, AGENT_SELECTOR } from '../mesh/names.ts';
import { isPodRunning } from '../mesh/pods.ts';
import { remoteClustersOfAgent } from '../mesh/remote-cluster-report.ts';
import { during, type Flow, type Target } from './flow.ts';

const LOOK_INTERVAL_MS = 1_000;
const EXECS_AT_A_TIME = 30;
const EXEC_TIMEOUT_MS = 10_000;
const STATUS_COMMAND = ['cilium', 'status', '-o', 'json'];

/**
 * Waits until no agent reports a cluster that its own does not dial any more.
 * @throws MeshctlError `Timeout`, naming the nodes that still do
 */
export async function awaitParted(
  flow: Flow,
  targets: readonly Target[],
  partings: readonly Parting[],
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const waiting = partings.flatMap(({ snapshot, undialled }) => {
    const target = targets.find(({ client }) => client.context === snapshot.context);
    return target && undialled.length > 0 ? [awaitOne(flow, target, undialled, deadline)] : [];
  });
  await during(flow, 'Waiting until no agent reports the peers', () => Promise.all(waiting));
}

async function awaitOne(flow: Flow, target: Target, peers: readonly string[], deadline: number): Promise<void> {
  for (;;) {
    const reporting = await podsThatReport(target, peers);
    if (reporting.length === 0) return;
    if (Date.now() + LOOK_INTERVAL_MS > deadline) {
      const { context } = target.client;
      throw new MeshctlError(
        'Timeout',
        `context "${context}": agents still report ${peers.join(', ')}: ${reporting.join(', ')}`,
        {
          hint: 'Kubelets refresh mounted Secrets about every minute; look again with `meshctl clustermesh status`.',
          details: { context, pods: reporting },
        },
      );
    }
    await sleep(LOOK_INTERVAL_MS, flow.signal);
  }
}

/** A pod that does not answer is taken for one that still reports: it is not known to have forgotten. */
async function podsThatReport({ client, namespace }: Target, peers: readonly string[]): Promise<string[]> {
  const limit = pLimit(EXECS_AT_A_TIME);
  const pods = await client.listAll({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: AGENT_SELECTOR });
  const looks = pods.filter(isPodRunning).map(({ metadata: { name: pod } }) =>
    limit(async () => {
      try {
        const exec = {
          namespace,
          pod,
          container: AGENT_CONTAINER,
          command: STATUS_COMMAND,
          timeoutMs: EXEC_TIMEOUT_MS,
        };
        const { stdout } = await client.exec(exec);
        const reported = remoteClustersOfAgent(JSON.parse(stdout)) ?? [];
        return reported.some(({ name }) => peers.includes(name)) ? [pod] : [];
      } catch (error) {
        if (error instanceof MeshctlError && error.code === 'Interrupted') throw error;
        return [pod];
      }
    }),
  );
  return (await Promise.all(looks)).flat();
}
