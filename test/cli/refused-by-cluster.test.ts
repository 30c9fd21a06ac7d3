/** What a cluster would refuse, from check to the mesh that is well again: the hints, as they are printed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { checkEntries } from '../support/check-scenarios.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
let one: SandboxCluster;
let two: SandboxCluster;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 2, clusters: [{}, { provider: 'bare-metal' }] });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  [one, two] = [0, 1].map((index) => found(sandbox.clusters[index], 'a cluster')) as [SandboxCluster, SandboxCluster];
});

afterAll(() => sandbox.close());

/** The words of a meshctl command line at the end of a hint, as a shell reads them. */
function wordsOf(hint: string | undefined): string[] {
  const [, line = ''] = /meshctl (clustermesh .*)$/.exec(hint ?? '') ?? [];
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

async function finding(id: string, ...flags: string[]) {
  const entries = await checkEntries(meshctl, 'mesh-2', '--category', 'apiserver', ...flags);
  return found(
    entries.find((entry) => entry.id === id),
    id,
  );
}

const taint = (taints: unknown) => {
  for (const { metadata } of two.store.list({ apiVersion: 'v1', kind: 'Node' })) {
    two.store.update({ apiVersion: 'v1', kind: 'Node', name: metadata.name }, ({ spec }) => {
      (spec as { taints?: unknown }).taints = taints;
    });
  }
};

const podsOf = (cluster: SandboxCluster) =>
  cluster.store.list({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: 'kube-system',
    labels: { 'k8s-app': 'clustermesh-apiserver' },
  });

describe('nodes that take no pods', () => {
  it('are found before enable, and the toleration that is printed lets it run', async () => {
    taint([{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }]);
    const refused = await finding('apiserver-schedulable', '--pre');
    expect(refused).toMatchObject({ severity: 'fail', args: { running: false } });
    const unscheduled = await meshctl(['clustermesh', 'enable', '--context', 'mesh-2', '--wait-duration', '1s']);
    expect(unscheduled.exitCode).toBe(1);
    expect(unscheduled.stderr).toContain('had untolerated taint {node-role.kubernetes.io/control-plane: }');
    expect(unscheduled.stderr).not.toContain('--resources');
    await meshctl.ok(wordsOf(refused.hint));
    expect(await finding('apiserver-schedulable')).toMatchObject({ severity: 'pass' });
    taint(undefined);
  });
});

describe('Pod Security', () => {
  it('that became restricted is met by the enable that is printed', async () => {
    two.store.update({ apiVersion: 'v1', kind: 'Namespace', name: 'kube-system' }, ({ metadata }) => {
      metadata.labels = { ...metadata.labels, 'pod-security.kubernetes.io/enforce': 'restricted' };
    });
    const refused = await finding('apiserver-pod-security');
    expect(refused).toMatchObject({ severity: 'fail', args: { lacks: [expect.stringContaining('seccompProfile')] } });
    await meshctl.ok(wordsOf(refused.hint));
    expect(await finding('apiserver-pod-security')).toMatchObject({ severity: 'pass' });
  });
});

describe('a mesh over NodePorts', () => {
  it('dials only nodes with a pod, with externalTrafficPolicy Local', async () => {
    await meshctl.ok(enable('mesh-1'));
    await meshctl.ok([...enable('mesh-2'), '--service-type', 'NodePort', '--external-traffic-policy', 'Local']);
    const [pod] = podsOf(two);
    const { nodeName } = found(pod, 'a pod').spec as { nodeName?: string };
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    await untilHealthy(sandbox, ['mesh-1']);
    expect(await finding('node-port-local')).toMatchObject({ severity: 'warn', args: { serving: 1, nodes: 2 } });
    const secret = found(one.store.get(refs.secret('cilium-kvstoremesh')), 'the peering file');
    const file = Buffer.from((secret.data as Record<string, string>)['mesh-2'] ?? '', 'base64').toString();
    const address = nodeName === 'mesh-2-node-1' ? '172.18.2.11' : '172.18.2.12';
    expect(file.match(/https:\/\/[\d.]+/g)).toEqual([`https://${address}`]);
  });

  it('loses its peer to a policy that denies everything, and the policy that is printed lets it in again', async () => {
    const deny = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' };
    const metadata = { name: 'deny', namespace: 'kube-system' };
    two.store.create({ ...deny, metadata, spec: { podSelector: {}, policyTypes: ['Ingress'] } });
    const status = () => meshctl(['clustermesh', 'status', '--context', 'mesh-1']);
    const cut = await eventually(status, ({ exitCode }) => exitCode === 1, 'new connections fail');
    expect(cut.stdout).toContain('i/o timeout');
    const refused = await finding('apiserver-policy');
    expect(refused.message).toBe('context "mesh-2": NetworkPolicy kube-system/deny lets no one in');
    const [, json = '', command] = /echo '(.*)' \| (kubectl .*)$/.exec(refused.hint ?? '') ?? [];
    expect(command).toBe('kubectl --context mesh-2 -n kube-system apply -f -');
    const policy = JSON.parse(json) as KubeObject;
    two.store.create({ ...policy, metadata: { ...policy.metadata, namespace: 'kube-system' } });
    await untilHealthy(sandbox, ['mesh-1']);
    expect(await finding('apiserver-policy')).toMatchObject({ severity: 'pass' });
  });
});
