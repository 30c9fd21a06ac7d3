import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { addNode } from '../support/fault-parts.ts';
import { clusterAt, found } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 are connected; nodes of mesh-2 are in a state in which no agent of theirs answers. */
let clusters: ConnectClusters;
let two: SandboxCluster;

const NODE = { apiVersion: 'v1', kind: 'Node' };
const POD = { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' };
const agents = () => two.store.list({ ...POD, labels: { 'k8s-app': 'cilium' } });
const agentOn = (node: string) => agents().find(({ spec }) => (spec as { nodeName?: string }).nodeName === node);
const status = (...more: string[]) => clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-2', ...more]);

beforeAll(async () => {
  clusters = await startConnectClusters(2, { nodes: 2 });
  two = clusterAt(clusters, 'mesh-2');
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  expect((await clusters.meshctl('clustermesh status --context mesh-1,mesh-2 --wait'.split(' '))).exitCode).toBe(0);
});
afterEach(() => {
  clusters.fault = undefined;
});
afterAll(async () => {
  await clusters.close();
});

/** Leaves a pod of the agents' DaemonSet on a node, which does not run there. */
function leavePodOn(node: string): string {
  const [agent] = agents();
  const copy = structuredClone(found(agent, 'an agent')) as KubeObject & { spec: Record<string, unknown> };
  const { labels, ownerReferences } = copy.metadata;
  const name = `cilium-left-${node}`;
  const containers = (copy.spec.containers as { image: string }[]).map((one) => ({
    ...one,
    image: `${one.image}-none`,
  }));
  two.store.create({
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name, namespace: 'kube-system', labels, ownerReferences } as KubeObject['metadata'],
    spec: { ...copy.spec, nodeName: node, containers },
  } as KubeObject);
  return name;
}

/** A node with such a pod, until the test is over. */
async function withNode(name: string, change: (node: KubeObject) => void, work: () => Promise<void>): Promise<void> {
  const pod = leavePodOn(name);
  addNode(two, name, '172.18.2.33');
  // Agents make it, and none runs there.
  two.store.delete({ apiVersion: 'cilium.io/v2', kind: 'CiliumNode', name });
  two.store.update({ ...NODE, name }, change);
  await two.settled();
  try {
    await work();
  } finally {
    two.store.delete({ ...NODE, name });
    if (two.store.get({ ...POD, name: pod })) two.store.delete({ ...POD, name: pod });
    await two.settled();
  }
}

interface Status {
  nodes: { total: number; connected: number };
  problems: { message: string; hint: string }[];
}
const reported = async () => jsonOf(await status('-o', 'json')) as unknown as Status;
const ALL = expect.stringContaining('✅ All 2 nodes are connected to all clusters');

describe('status of a cluster', () => {
  it.each([
    ['of Fargate', { 'eks.amazonaws.com/compute-type': 'fargate' }, []],
    ['that a virtual kubelet labels', { type: 'virtual-kubelet' }, []],
    [
      'that a virtual kubelet taints',
      {},
      [{ key: 'virtual-kubelet.io/provider', value: 'azure', effect: 'NoSchedule' }],
    ],
    ['of Windows', { 'kubernetes.io/os': 'windows' }, []],
  ])('counts no node %s, on which the pod of an agent never comes to run', async (_, labels, taints) => {
    const change = (node: KubeObject) => {
      node.metadata.labels = { ...node.metadata.labels, ...labels };
      Object.assign(node.spec as object, { taints });
    };
    await withNode('strange', change, async () => {
      expect(agents()).toHaveLength(3);
      expect(await status()).toMatchObject({ exitCode: 0, stdout: ALL });
      expect(await status('--wait')).toMatchObject({ exitCode: 0, stdout: ALL });
      const check = await clusters.meshctl('clustermesh check --context mesh-1,mesh-2'.split(' '));
      expect(check.stdout).not.toMatch(/strange|could not be queried|did not answer/);
    });
  });

  it('counts any other node on which the pod of an agent does not run', async () => {
    await withNode(
      'ordinary',
      () => undefined,
      async () => {
        expect((await status()).exitCode).toBe(1);
        expect((await reported()).nodes).toMatchObject({ total: 3, connected: 2 });
      },
    );
  });

  it('says of an agent that cannot be asked as its node is not ready that this is why, and looks at nodes', async () => {
    const [node] = two.store.list(NODE);
    const { name } = found(node, 'a node').metadata;
    const agent = found(agentOn(name), 'its agent').metadata.name;
    const ready = (value: string) =>
      two.store.update({ ...NODE, name }, (one) =>
        Object.assign(one.status as object, { conditions: [{ type: 'Ready', status: value }] }),
      );
    ready('Unknown');
    clusters.fault = async ({ context, subresource, name: of }) => {
      if (context === 'mesh-2' && subresource === 'exec' && of === agent)
        throw new ApiError(500, 'InternalError', 'error dialing backend: connect: no route to host');
      return undefined;
    };
    const problems = (await reported()).problems;
    ready('True');
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toMatch(new RegExp(`^node ${name} is not ready: .*no route to host`));
    expect(problems[0]?.hint).toMatch(/^kubectl .*get nodes -o wide$/);
    expect(problems[0]?.hint).toContain('--context mesh-2');
  });
});
