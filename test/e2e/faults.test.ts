import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTheme } from '../../src/cli/terminal/theme.ts';
import { certificateSpecs } from '../../src/mesh/certificates/cluster-certificates.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import type { FailureClass } from '../../src/mesh/status/failure-reason.ts';
import type { StatusProblem } from '../../src/mesh/status/status.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { type IssueOptions, issueCertificate } from '../../src/pki/issue.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { hintLines } from '../../src/views/hint-lines.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { connect, enable, healthyText, waitForStatus } from '../support/e2e-cli.ts';
import { eventually, found, peerCertificateSpec, refs, setSecret, setUsers } from '../support/sandbox-mesh.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const SERVER_CERT = 'clustermesh-apiserver-server-cert';

/** mesh-1 is the one whose status is looked at. */
async function connectedScene(...enableFlags: string[]): Promise<ConnectedMesh> {
  const scene = await startConnectedMesh({}, ...enableFlags);
  await becomesHealthy(scene);
  return scene;
}

/** An open connection does not care what the next one will meet: break it. */
function reconnect({ sandbox }: ConnectedMesh): void {
  sandbox.network.cutLink('mesh-1', 'mesh-2');
  sandbox.network.mendLink('mesh-1', 'mesh-2');
}

interface Expected {
  component?: StatusProblem['component'];
  /** How many nodes or replicas it holds for at least, once they have noticed. */
  nodes?: number;
  /** Until it shows: for faults that an open connection does not notice, e.g. certificates still on their way. */
  whileHealthy?: (scene: ConnectedMesh) => void;
}

/** Status of mesh-1 turns unhealthy for this reason; says it in words, with the hint, and exits 1. */
async function namesReason(
  scene: ConnectedMesh,
  reason: FailureClass,
  { component = 'kvstoremesh', nodes = 1, whileHealthy }: Expected = {},
): Promise<StatusProblem> {
  const isIt = (problem: StatusProblem) =>
    problem.class === reason && problem.component === component && problem.nodes.length >= nodes;
  const { report, text } = await eventually(
    async () => {
      const looked = await scene.meshctl.status('mesh-1');
      if (looked.problems.length === 0) whileHealthy?.(scene);
      return { report: looked, text: await scene.meshctl(['clustermesh', 'status', '--context', 'mesh-1']) };
    },
    ({ report, text }) => text.stdout.includes(report.problems.find(isIt)?.says ?? 'not so yet'),
    `status names ${reason}`,
  );
  expect(report).toMatchObject({ apiVersion: 'meshctl.io/v1alpha1', kind: 'StatusReport', healthy: false });
  expect(text.exitCode).toBe(1);
  const problem = found(report.problems.find(isIt), reason);
  expect(text.stdout).toContain(hintLines(problem.hint ?? '', await createTheme(false)).join('\n'));
  return problem;
}

async function becomesHealthy({ meshctl }: Pick<ConnectedMesh, 'meshctl'>): Promise<void> {
  const { stdout } = await meshctl.ok(waitForStatus('mesh-1', '2m'));
  expect(stdout).toBe(healthyText(2, 'mesh-2'));
}

function serverSpecOf(cluster: SandboxCluster, addresses: readonly string[]) {
  const specs = certificateSpecs({
    clusterName: cluster.name,
    namespace: 'kube-system',
    serviceAddresses: addresses,
    kvstoremesh: true,
  });
  return found(
    specs.find(({ secret }) => secret === SERVER_CERT),
    'the server certificate',
  ).spec;
}

/** Puts a server certificate into place under meshctl's name, as if an earlier enable had done it. */
async function issueServerCertificate(
  { sandbox, two }: ConnectedMesh,
  addresses: readonly string[],
  options: IssueOptions = {},
): Promise<void> {
  const authority = found(two.ca, 'the CA');
  const issued = await issueCertificate(authority, serverSpecOf(two, addresses), options);
  await sandbox.client('mesh-2').apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: SERVER_CERT, namespace: 'kube-system' },
    type: 'kubernetes.io/tls',
    data: {
      'ca.crt': encodeText(authority.certificate),
      'tls.crt': encodeText(issued.certificate),
      'tls.key': encodeText(issued.privateKey),
    },
  });
}

function loadBalancerIp(cluster: SandboxCluster): string {
  const status = cluster.store.get(refs.service('clustermesh-apiserver'))?.status;
  const { ingress } = (status as { loadBalancer: { ingress: { ip: string }[] } }).loadBalancer;
  return found(ingress[0], 'the address').ip;
}

function apiserverPodOf(cluster: SandboxCluster): string {
  const [pod] = cluster.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'clustermesh-apiserver' } });
  return found(pod, 'the pod of clustermesh-apiserver').metadata.name;
}

function scaleApiserver(cluster: SandboxCluster, replicas: number): void {
  cluster.store.update(refs.deployment('clustermesh-apiserver'), ({ spec }) => {
    (spec as { replicas: number }).replicas = replicas;
  });
}

describe('one thing breaks, with KVStoreMesh', () => {
  let scene: ConnectedMesh;

  beforeAll(async () => {
    scene = await connectedScene();
  });

  afterAll(async () => {
    await scene?.sandbox.close();
  });

  afterEach(() => {
    expect(scene.sandbox.errors).toEqual([]);
  });

  it('the server certificate expires: enable renews it', async () => {
    const { two, meshctl } = scene;
    const longAgo = new Date(Date.now() - 2 * DAY_MS);
    await issueServerCertificate(scene, [loadBalancerIp(two)], { now: longAgo, validityMs: DAY_MS });
    const problem = await namesReason(scene, 'tls-expired', { whileHealthy: reconnect });
    expect(problem.message).toContain('x509: certificate has expired or is not yet valid');
    await meshctl.ok(enable('mesh-2'));
    await becomesHealthy(scene);
  });

  it('the server certificate loses the address among its SANs: connect brings it back', async () => {
    const { two, meshctl } = scene;
    await issueServerCertificate(scene, []);
    const problem = await namesReason(scene, 'tls-name', { whileHealthy: reconnect });
    expect(problem.message).toContain(`not ${loadBalancerIp(two)}`);
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    await becomesHealthy(scene);
  });

  it('the remote user is deleted: connect lets it in again', async () => {
    setUsers(scene.two, []);
    const problem = await namesReason(scene, 'permission-denied', { whileHealthy: reconnect });
    expect(problem).toMatchObject({ peer: 'mesh-2', nodes: [apiserverPodOf(scene.one)] });
    await scene.meshctl.ok(connect('mesh-1', 'mesh-2'));
    await becomesHealthy(scene);
  });

  it('the clustermesh-apiserver of the peer stops', async () => {
    const pod = apiserverPodOf(scene.two);
    scene.two.stopPod('kube-system', pod);
    await namesReason(scene, 'refused');
    scene.two.startPod('kube-system', pod);
    await becomesHealthy(scene);
  });

  it('the own clustermesh-apiserver stops', async () => {
    scaleApiserver(scene.one, 0);
    await namesReason(scene, 'refused', { component: 'agent', nodes: 2 });
    const { stdout } = await scene.meshctl(['clustermesh', 'status', '--context', 'mesh-1']);
    expect(stdout).toContain('its clustermesh-apiserver is scaled to 0');
    scaleApiserver(scene.one, 1);
    await becomesHealthy(scene);
  });

  it('the link is cut', async () => {
    scene.sandbox.network.cutLink('mesh-1', 'mesh-2');
    const problem = await namesReason(scene, 'timed-out');
    expect(problem.message).toContain(`${loadBalancerIp(scene.two)}:2379`);
    // A dial into nothing takes its seconds: what is known is said before.
    const { stderr } = await scene.meshctl(['clustermesh', 'status', '--context', 'mesh-1']);
    expect(stderr).toContain('Not connected: mesh-1 to mesh-2; finding out why');
    scene.sandbox.network.mendLink('mesh-1', 'mesh-2');
    await becomesHealthy(scene);
  });

  it('the peering file is corrupted: connect writes it anew', async () => {
    setSecret(scene.one, 'cilium-kvstoremesh', { 'mesh-2': 'endpoints: [' });
    await namesReason(scene, 'config-invalid');
    await scene.meshctl.ok(connect('mesh-1', 'mesh-2'));
    await becomesHealthy(scene);
  });

  it('a certificate file of the peer is gone: connect writes it anew', async () => {
    setSecret(scene.one, 'cilium-kvstoremesh', { 'mesh-2.etcd-client.crt': undefined });
    const problem = await namesReason(scene, 'config-invalid', { whileHealthy: reconnect });
    expect(problem.message).toContain('mesh-2.etcd-client.crt: no such file');
    await scene.meshctl.ok(connect('mesh-1', 'mesh-2'));
    await becomesHealthy(scene);
  });

  it('the client certificate is from a different CA: connect issues one that the peer accepts', async () => {
    const stranger = await issueCertificate(await createAuthority(), peerCertificateSpec('mesh-1'));
    setSecret(scene.one, 'cilium-kvstoremesh', {
      'mesh-2.etcd-client.crt': stranger.certificate,
      'mesh-2.etcd-client.key': stranger.privateKey,
    });
    await namesReason(scene, 'tls-client-rejected', { whileHealthy: reconnect });
    await scene.meshctl.ok(connect('mesh-1', 'mesh-2'));
    await becomesHealthy(scene);
  });

  it('the CA of the peer is swapped: connect hands out what belongs to the new one', async () => {
    const { two, meshctl } = scene;
    const successor = await createAuthority();
    setSecret(two, 'cilium-ca', { 'ca.crt': successor.certificate, 'ca.key': successor.privateKey });
    await meshctl.ok(enable('mesh-2', '--yes'));
    // etcd reads its CA only at its start.
    two.store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: apiserverPodOf(two) });
    await two.settled();
    await namesReason(scene, 'tls-unknown-ca');
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    await becomesHealthy(scene);
  });
});

// An open connection goes on; the agent that makes a new one finds out at once, the others when theirs ends.
describe('one thing breaks, without KVStoreMesh: an agent says so', () => {
  let scene: ConnectedMesh;

  beforeAll(async () => {
    scene = await connectedScene('--enable-kvstoremesh=false');
  });

  afterAll(async () => {
    await scene?.sandbox.close();
  });

  it('the remote user is deleted', async () => {
    setUsers(scene.two, []);
    await namesReason(scene, 'permission-denied', { component: 'agent' });
    await scene.meshctl.ok(connect('mesh-1', 'mesh-2'));
    await becomesHealthy(scene);
  });

  it('the link is cut', async () => {
    scene.sandbox.network.cutLink('mesh-1', 'mesh-2');
    await namesReason(scene, 'timed-out', { component: 'agent' });
    scene.sandbox.network.mendLink('mesh-1', 'mesh-2');
    await becomesHealthy(scene);
  });
});
