import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { templateSpec } from '../../src/mesh/objects/workload.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { lasting, serverCertificateSpec } from '../support/certificate-specs.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { SERVER_CERT, serveWith } from '../support/fault-parts.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** What mesh-2 has is made by others: what is printed sends to where they have it from. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let two: SandboxCluster;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  two = found(sandbox.clusters[1], 'mesh-2');
  await meshctl.ok(enable('mesh-1,mesh-2'));
});

afterAll(() => sandbox.close());

const madeBy = (annotations: Record<string, string>) => {
  const ref = refs.secret(SERVER_CERT);
  const { metadata, ...content } = structuredClone(found(two.store.get(ref), SERVER_CERT));
  const { name, namespace } = metadata;
  two.store.delete(ref);
  two.store.create({ ...content, metadata: { name, namespace, annotations } } as KubeObject, 'tool');
};

const said = (text: string) => text.replaceAll(/\s+/g, ' ');

async function requireSaid(mend: string): Promise<void> {
  const status = await meshctl(['clustermesh', 'status', '--context', 'mesh-2']);
  expect(said(status.stdout)).toContain(mend);
  const check = await meshctl(['clustermesh', 'check', '--context', 'mesh-2', '--category', 'tls']);
  expect(said(check.stdout)).toContain(mend);
}

describe('a Secret that somebody put back with kubectl', () => {
  it('is not passed over by a rotation, as if a tool renewed it', async () => {
    const replaced = structuredClone(found(two.store.get(refs.secret(SERVER_CERT)), SERVER_CERT));
    const { name, namespace } = replaced.metadata;
    two.store.delete(refs.secret(SERVER_CERT));
    two.store.create({ ...replaced, metadata: { name, namespace } } as KubeObject, 'kubectl-replace');
    const rotate = ['clustermesh', 'certs', 'rotate', '--context', 'mesh-2', '--yes'];
    const refused = await meshctl(rotate);
    expect(refused.exitCode, refused.stdout).not.toBe(0);
    expect(said(refused.stderr)).toMatch(/kubectl-replace.*--force-conflicts/);
    const planned = await meshctl.ok([...rotate, '--force-conflicts', '--dry-run']);
    expect(planned.stdout).toContain('~ data.tls.crt is taken over from kubectl-replace');
    const { stdout } = await meshctl.ok([...rotate, '--force-conflicts']);
    expect(stdout).toContain('Renewed');
  });
});

it('a field that somebody set is said to be taken over from whom, before it is', async () => {
  two.store.update(
    refs.deployment('clustermesh-apiserver'),
    ({ spec }) => void Object.assign(spec as object, { replicas: 3 }),
    'kubectl',
  );
  const scaled = enable('mesh-2', '--replicas', '1', '--force-conflicts');
  const planned = await meshctl.ok([...scaled, '--dry-run']);
  expect(planned.stdout).toMatch(/spec\.replicas: 3 → 1\n.*spec\.replicas is taken over from kubectl$/m);
  const { clusters } = jsonOf(await meshctl.ok([...scaled, '--dry-run', '-o', 'json'])) as {
    clusters: { steps: object[] }[];
  };
  const taken = { takenFrom: [{ path: 'spec.replicas', manager: 'kubectl' }] };
  expect(clusters[0]?.steps).toContainEqual(expect.objectContaining(taken));
  await meshctl.ok(scaled);
});

describe('objects of Helm', () => {
  const RELEASE = { 'meta.helm.sh/release-name': 'cilium' };
  const change = (ref: ObjectRef, edit: (object: KubeObject) => void) =>
    two.store.update(
      ref,
      (object) => {
        object.metadata.annotations = { ...object.metadata.annotations, ...RELEASE };
        edit(object);
      },
      'helm',
    );

  it('stay as values of the chart have made them, where they do as well', async () => {
    change(refs.deployment('clustermesh-apiserver'), (deployment) => {
      for (const container of templateSpec(deployment).containers ?? []) {
        const isMetrics = (text = '') => /metrics|prometheus/.test(text);
        const args = container.args?.map((flag) => flag.replace(/etcd\.qps=\d+/, 'etcd.qps=100'));
        if (args) container.args = args.filter((flag) => !isMetrics(flag));
        container.ports = container.ports?.filter(({ name }) => !isMetrics(name)) ?? [];
      }
    });
    const metadata = { name: 'clustermesh-apiserver', namespace: 'kube-system', annotations: RELEASE };
    const selector = { matchLabels: { 'k8s-app': 'clustermesh-apiserver' } };
    const budget = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata,
      spec: { minAvailable: 1, selector },
    };
    two.store.create(budget, 'helm');
    await two.settled();
    await meshctl.ok(enable('mesh-2'));
    expect((await meshctl.ok(enable('mesh-2', '--dry-run'))).stdout).toMatch(/^Plan: \d+ to keep\.$/m);
  });

  it('that enable would change come with the values of the chart that make them', async () => {
    change(refs.service('clustermesh-apiserver'), (service) => {
      service.spec = { ...(service.spec as object), externalTrafficPolicy: 'Local' };
    });
    const refused = await meshctl(enable('mesh-2', '--external-traffic-policy', 'Cluster'));
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(said(refused.stderr)).toContain(
      'Set clustermesh.apiserver.service.externalTrafficPolicy in the values of Helm release cilium',
    );
  });

  it('that hold the peers come with what their values must name, in a warning, by check and by status', async () => {
    const users = refs.configMap('clustermesh-remote-users');
    change(users, () => undefined);
    const forGood =
      'its values must name mesh-1 in clustermesh.config.clusters: meshctl clustermesh helm-values --context mesh-2';
    const connected = await meshctl.ok(connect('mesh-1', 'mesh-2'));
    expect(said(connected.stderr)).toContain(forGood);
    const look = (...command: string[]) => meshctl(['clustermesh', ...command, '--context', 'mesh-1,mesh-2']);
    expect(said((await look('check', '--category', 'ownership')).stdout)).toContain(forGood);
    change(users, (list) => {
      list.data = { 'users.yaml': 'users: []\n' };
    });
    const status = await look('status');
    expect(said(status.stdout)).toContain('Helm release cilium makes the list');
    expect(said(status.stdout)).toContain(forGood);
    const check = await look('check', '--category', 'peers');
    expect(said(check.stdout)).toContain(forGood);
  });

  it('that hold the peers are said to bring them back after a disconnect, which does not wait where they have', async () => {
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    const users = refs.configMap('clustermesh-remote-users');
    const listed = structuredClone(found(two.store.get(users), 'the users')).data;
    const disconnect = () =>
      meshctl([
        ...['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'],
        ...['--wait-duration', '10h'],
      ]);
    const forGood =
      'its values must not name mesh-1 in clustermesh.config.clusters: meshctl clustermesh helm-values --context mesh-2';
    const stop = two.store.subscribe(({ object }) => {
      const { 'users.yaml': file = '' } = (object.data ?? {}) as Record<string, string>;
      if (object.metadata.name !== users.name || file.includes('remote-mesh-1')) return;
      change(users, (list) => {
        list.data = listed;
      });
    });
    const undone = await disconnect();
    stop();
    expect(undone).toMatchObject({ exitCode: 1 });
    expect(said(undone.stderr)).toContain(
      'user remote-mesh-1 in ConfigMap kube-system/clustermesh-remote-users: someone else has put it there again meanwhile',
    );
    expect(said(undone.stderr)).toContain(
      `Helm release cilium makes ConfigMap kube-system/clustermesh-remote-users: ${forGood}`,
    );
    const parted = await disconnect();
    expect(parted).toMatchObject({ exitCode: 0 });
    expect(said(parted.stderr)).toContain(`whose next sync may undo this (shuts remote-mesh-1 out) → ${forGood}`);
  });
});

it('a Secret of Helm is not written by a rotation of the CA, unless it is said; the hint is the command that was run', async () => {
  madeBy({ 'meta.helm.sh/release-name': 'cilium' });
  const rotate = ['clustermesh', 'certs', 'rotate', '--context', 'mesh-2', '--ca', '--key-size', '3072'];
  const forced = 'meshctl clustermesh certs rotate --context mesh-2 --ca --key-size 3072 --force-conflicts';
  const refused = await meshctl([...rotate, '--yes']);
  const planned = await meshctl([...rotate, '--dry-run']);
  for (const { exitCode, stderr } of [refused, planned]) {
    expect(exitCode).toBe(1);
    expect(said(stderr)).toContain(`or take them over: ${forced}`);
    expect(said(stderr)).toContain(
      `run no helm upgrade there until the rotation has ended; after one, continue with → ${forced}`,
    );
  }
  expect(planned.stdout).toContain('Nothing was changed (--dry-run); a run is refused.');
});

describe('a server certificate', () => {
  beforeAll(() => serveWith(two, serverCertificateSpec(two), { signer: two, options: lasting(-1) }));

  it('of Helm is renewed by an upgrade', async () => {
    madeBy({ 'meta.helm.sh/release-name': 'cilium' });
    await requireSaid('an upgrade reissues it: meshctl clustermesh enable --context mesh-2 --via-helm');
  });

  it('of cert-manager, whose CA is nowhere in the cluster, is renewed by that', async () => {
    madeBy({ 'cert-manager.io/certificate-name': 'server' });
    two.store.delete(refs.secret('cilium-ca'));
    const mend = `kubectl --context mesh-2 -n kube-system delete secret ${SERVER_CERT}`;
    await requireSaid(mend);
    const refused = await meshctl(connect('mesh-1', 'mesh-2', '--dry-run'));
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(said(refused.stderr)).toContain('expired on');
    expect(said(refused.stderr)).toContain(mend);
  });
});
