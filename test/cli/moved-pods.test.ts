import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { connect, enable } from '../support/e2e-cli.ts';
import { addNode, changeService } from '../support/fault-parts.ts';
import { meshText } from '../support/mesh-files.ts';

/** mesh-2 is reached at a NodePort that only the node with a pod answers, of two; mesh-1 dials that one. */
let mesh: ConnectedMesh;
const FIRST = '172.18.2.11:32379';
const SECOND = '172.18.2.12:32379';
const setLocal = (policy: 'Local' | 'Cluster') =>
  changeService(mesh.two, ({ spec }) => Object.assign(spec, { externalTrafficPolicy: policy }));

function cordon(name: string, is: boolean): void {
  const ref = { apiVersion: 'v1', kind: 'Node', name };
  mesh.two.store.update(ref, ({ spec }) => Object.assign(spec as object, { unschedulable: is }), 'kubectl');
}

beforeAll(async () => {
  const nodePort = ['--service-type', 'NodePort', '--node-port', '32379', '--external-traffic-policy', 'Local'];
  mesh = await startConnectedMesh({ nodes: 1 }, ...nodePort, '--yes');
  addNode(mesh.two, 'mesh-2-node-2', '172.18.2.12');
  await mesh.two.settled();
});

afterAll(async () => {
  expect(mesh?.sandbox.errors).toEqual([]);
  await mesh?.sandbox.close();
});

interface Peer {
  peer: string;
  becomes: string;
  why?: string;
  mend?: string;
}

const ANY = enable('mesh-2', '--toleration', 'a=b:NoSchedule');
const NEXT = enable('mesh-2', '--toleration', 'c=d:NoSchedule');
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  'enable --set': enable('mesh-2', '--set', 'Deployment/clustermesh-apiserver:spec.template.spec.priorityClassName=x'),
  'enable --image': enable('mesh-2', '--image', 'quay.io/cilium/clustermesh-apiserver:v1.20.1'),
  'enable without KVStoreMesh': enable('mesh-2', '--enable-kvstoremesh=false'),
  'enable that tolerates a taint': ANY,
  'certs rotate --ca': ['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2', '--ca'],
};
const FILE = meshText({
  clusters: [{ name: 'mesh-1' }, { name: 'mesh-2', enable: { kvstoremesh: false } }],
  topology: { type: 'mesh' },
});

async function plannedPeers(argv: readonly string[], input?: string): Promise<Peer[]> {
  const planned = await mesh.meshctl([...argv, '--dry-run', '-o', 'json'], input === undefined ? {} : { input });
  expect(planned.exitCode, planned.stdout + planned.stderr).toBe(0);
  const { clusters } = jsonOf(planned) as { clusters: { context: string; peers?: Peer[] }[] };
  return clusters.find(({ context }) => context === 'mesh-2')?.peers ?? [];
}

describe('pods that may come up on another node than the one that a peer dials, where only that one answers', () => {
  const plans = [
    ...Object.entries(CHANGES).map(([name, argv]) => [name, argv, undefined] as const),
    ['apply', ['apply', '-f', '-'], FILE] as const,
  ];
  it.each(plans)('are told by the plan of %s, with what connects it again', async (_name, argv, input) => {
    expect(await plannedPeers(argv, input)).toMatchObject([
      {
        becomes: 'unknown',
        why: expect.stringContaining(`it dials ${FIRST}`),
        mend: expect.stringContaining('meshctl '),
      },
    ]);
    if (input !== undefined) return;
    // With another policy every node answers.
    setLocal('Cluster');
    try {
      for (const { why } of await plannedPeers(argv, input)) expect(why).not.toContain('perhaps on other nodes');
    } finally {
      setLocal('Local');
    }
  });

  it('are to be agreed to', async () => {
    const refused = await mesh.meshctl(ANY);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain('mesh-1 may be cut off');
  });

  it('are looked for once they are replaced, and who dials a node that answers no more is told with what connects it', async () => {
    cordon('mesh-2-node-1', true);
    const ran = await mesh.meshctl.ok([...ANY, '--yes', '-o', 'json']);
    const { clusters } = jsonOf(ran) as { clusters: { service: { endpoints: string[] }; peers: Peer[] }[] };
    expect(clusters[0]?.service.endpoints).toEqual([SECOND]);
    expect(clusters[0]?.peers).toMatchObject([{ peer: 'mesh-1', becomes: 'cut', mend: expect.any(String) }]);
    const command = 'meshctl clustermesh connect --context mesh-2 --destination-context mesh-1';
    expect(ran.stderr.replaceAll(/\s+/g, ' ')).toContain(
      `mesh-2: peer mesh-1 is cut off: it dials ${FIRST}, where no pod answers now → ${command}`,
    );
    await mesh.meshctl.ok(connect('mesh-2', 'mesh-1', '--yes'));
    cordon('mesh-2-node-1', false);
    const planned = await plannedPeers(NEXT);
    expect(planned).toMatchObject([{ becomes: 'unknown', why: expect.stringContaining(`it dials ${SECOND}`) }]);
  });

  it('are no matter where they can only come up on the node that is dialled', async () => {
    cordon('mesh-2-node-1', true);
    expect(await plannedPeers(NEXT)).toMatchObject([{ becomes: 'moved' }]);
    cordon('mesh-2-node-1', false);
  });

  it('are looked for after a rotation of a CA', async () => {
    cordon('mesh-2-node-2', true);
    const ran = await mesh.meshctl.ok([...(CHANGES['certs rotate --ca'] ?? []), '--yes', '-o', 'json']);
    expect(jsonOf(ran).warnings).toContainEqual(
      expect.stringMatching(`^mesh-2: peer mesh-1 is cut off: it dials ${SECOND}, where no pod answers now → meshctl `),
    );
  });
});
