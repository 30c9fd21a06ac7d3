import { refOf } from '../../src/mesh/objects/kube-object.ts';
import { isPodRunning } from '../../src/mesh/objects/pods.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { podsOf } from './cluster-pods.ts';
import { enable, type Meshctl, meshctlWith } from './e2e-cli.ts';
import { configure } from './fault-parts.ts';
import { untilHealthy } from './open-look.ts';
import { clusterAt, eventually, startTestSandbox, type TestSandbox } from './sandbox-mesh.ts';

/** Four clusters that are all connected with each other, of which the last one is given an identity that is not its own. */
export interface IdentityMesh {
  sandbox: TestSandbox;
  meshctl: Meshctl;
  /** All contexts. */
  all: readonly string[];
  /** The cluster that has it. */
  wrong: SandboxCluster;
  /** A mesh file of all, as it was when they were well. */
  file: string;
  /** Gives it these settings of cilium-config, and starts its agents with them. */
  misname(settings: Record<string, string>): Promise<void>;
  /** Gives it its own back, in the same way, and waits until all are connected. */
  restore(): Promise<void>;
}

const ALL = ['mesh-1', 'mesh-2', 'mesh-3', 'mesh-4'];
const OWN = { 'cluster-name': 'mesh-4', 'cluster-id': '4' };

export async function startIdentityMesh(): Promise<IdentityMesh> {
  const sandbox = await startTestSandbox({ nodes: 1, clusters: ALL.length });
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable(ALL.join()));
  const destinations = ['--destination-context', ALL.slice(1).join(), '--connection-mode', 'mesh'];
  await meshctl.ok(['clustermesh', 'connect', '--context', 'mesh-1', ...destinations]);
  await untilHealthy(sandbox, ALL);
  const wrong = clusterAt(sandbox, 'mesh-4');
  const { stdout: file } = await meshctl.ok(['export', '--all']);
  async function misname(settings: Record<string, string>): Promise<void> {
    configure(wrong, settings);
    await restartAgents(wrong);
  }
  return {
    ...{ sandbox, meshctl, all: ALL, wrong, file, misname },
    async restore() {
      await misname(OWN);
      await untilHealthy(sandbox, ALL);
    },
  };
}

/** As `kubectl rollout restart daemonset/cilium deployment/cilium-operator` does. */
export async function restartAgents(cluster: SandboxCluster): Promise<void> {
  const programs = () =>
    podsOf(cluster).filter(
      ({ metadata: { labels } }) => labels?.['k8s-app'] === 'cilium' || labels?.['io.cilium/app'] === 'operator',
    );
  const former = programs();
  for (const pod of former) cluster.store.delete(refOf(pod));
  const uids = former.map(({ metadata }) => metadata.uid);
  await eventually(
    () => programs().filter((pod) => !uids.includes(pod.metadata.uid) && isPodRunning(pod)),
    (successors) => successors.length >= former.length,
    'agents and operator run again',
  );
  await cluster.settled();
}
