import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { certificateSpecs } from '../../src/mesh/certificates/cluster-certificates.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { agentReports, troubleshoot } from '../support/peer-reports.ts';
import {
  enableByHand,
  eventually,
  found,
  issueInto,
  peerByHand,
  peerCertificateSpec,
  refs,
  setSecret,
  setUsers,
  startTestSandbox,
  type TestSandbox,
} from '../support/sandbox-mesh.ts';

const OPTIONS = { kvstoremesh: false };
const DAY_MS = 24 * 60 * 60 * 1000;

let sandbox: TestSandbox;
let one: SandboxCluster;
let two: SandboxCluster;
/** Where mesh-1 dials mesh-2. */
let address: { host: string; port: number };
let now = new Date();

const report = async () => (await agentReports(sandbox, 'mesh-1')).find(({ name }) => name === 'mesh-2');
const ready = () => eventually(report, (peer) => peer?.ready === true, 'mesh-2 ready');
const notConnected = () => eventually(report, (peer) => peer !== undefined && !peer.connected, 'mesh-2 not connected');
const says = (text: string | RegExp) =>
  eventually(
    () => troubleshoot(sandbox, 'mesh-1'),
    (output) => (typeof text === 'string' ? output.includes(text) : text.test(output)),
    `troubleshoot says ${text}`,
  );

const serverSpec = (host: string) =>
  found(
    certificateSpecs({
      clusterName: 'mesh-2',
      namespace: 'kube-system',
      serviceAddresses: [host],
      kvstoremesh: false,
    })[0],
    'the server certificate',
  ).spec;

/** The connection breaks, so that the next one meets what has changed. */
function reconnect() {
  sandbox.network.cutLink('mesh-1', 'mesh-2');
  sandbox.network.mendLink('mesh-1', 'mesh-2');
}

beforeAll(async () => {
  sandbox = await startTestSandbox({ clock: () => now });
  one = found(sandbox.clusters[0], 'mesh-1');
  two = found(sandbox.clusters[1], 'mesh-2');
  await enableByHand(one, OPTIONS);
  address = await enableByHand(two, OPTIONS);
  await peerByHand(one, two, address, OPTIONS);
  await ready();
});

afterAll(async () => {
  await sandbox?.close();
});

afterEach(async () => {
  expect(sandbox.errors).toEqual([]);
});

describe('a connected peer', () => {
  it('is reported as the agent reports it', async () => {
    expect(await ready()).toEqual({
      name: 'mesh-2',
      ready: true,
      connected: true,
      status: expect.stringMatching(
        // Cilium prints the id without leading zeros.
        /^etcd: 1\/1 connected, leases=0, lock leases=0, has-quorum=true: endpoint status checks are disabled, ID: [0-9a-f]{1,16}$/,
      ),
      config: { required: true, retrieved: true, 'cluster-id': 2, 'sync-canaries': true },
      'num-nodes': 2,
      'num-endpoints': 1,
      'num-identities': 1,
      'last-failure': expect.any(String),
      synced: { nodes: true, endpoints: true, identities: true, services: true },
    });
  });

  it('is reached by every node', async () => {
    const agents = two.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'cilium' } });
    expect(agents).toHaveLength(2);
    expect(await troubleshoot(sandbox, 'mesh-1')).toContain('✅ Etcd connection successfully established');
  });

  it('stays when its Secrets are written again unchanged', async () => {
    const before = await ready();
    setSecret(one, 'cilium-clustermesh', {});
    setUsers(two, ['remote-mesh-1']);
    expect((await ready())?.['num-failures']).toEqual(before?.['num-failures']);
  });
});

describe('what breaks in reality breaks here', () => {
  it('a different CA on the server side', async () => {
    const other = await createAuthority();
    const issued = await issueCertificate(other, serverSpec(address.host));
    const keep = found(two.store.get(refs.secret('clustermesh-apiserver-server-cert')), 'the Secret');
    setSecret(two, 'clustermesh-apiserver-server-cert', {
      'tls.crt': issued.certificate,
      'tls.key': issued.privateKey,
    });
    await says('x509: certificate signed by unknown authority (possibly because of "crypto/rsa: verification error"');
    // An open connection does not care about the certificates of the next one.
    expect((await report())?.ready).toBe(true);
    reconnect();
    // What was heard is kept, and counted: only nothing of it is up to date.
    const lost = { status: 'Waiting for initial connection to be established', 'num-nodes': 2, 'num-identities': 1 };
    expect(await notConnected()).toMatchObject(lost);
    two.store.update(refs.secret('clustermesh-apiserver-server-cert'), (secret) => {
      secret.data = keep.data;
    });
    await ready();
  });

  it('a server certificate that does not cover the address', async () => {
    await issueInto(two, 'clustermesh-apiserver-server-cert', serverSpec('192.0.2.1'));
    await says(`x509: certificate is valid for 127.0.0.1, ::1, 192.0.2.1, not ${address.host}`);
    reconnect();
    await notConnected();
    await issueInto(two, 'clustermesh-apiserver-server-cert', serverSpec(address.host));
    await ready();
  });

  it('an expired server certificate', async () => {
    await issueInto(two, 'clustermesh-apiserver-server-cert', serverSpec(address.host), { validityMs: DAY_MS, now });
    const former = now;
    now = new Date(now.getTime() + 2 * DAY_MS);
    await says(/x509: certificate has expired or is not yet valid: current time \S+Z is after \S+Z/);
    reconnect();
    await notConnected();
    now = former;
    await ready();
    await issueInto(two, 'clustermesh-apiserver-server-cert', serverSpec(address.host));
  });

  it('an expired server certificate with which a pod began: it is ready once there is a good one', async () => {
    await issueInto(two, 'clustermesh-apiserver-server-cert', serverSpec(address.host), {
      validityMs: DAY_MS,
      now: new Date(now.getTime() - 2 * DAY_MS),
    });
    const pods = () =>
      two.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'clustermesh-apiserver' } });
    const [former] = pods();
    const { name } = found(former, 'the pod').metadata;
    two.store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name });
    type Statuses = { status?: { containerStatuses?: { ready: boolean; started?: boolean }[] } };
    const readiness = () =>
      pods()
        .filter(({ metadata }) => metadata.name !== name)
        .flatMap((pod) => (pod as Statuses).status?.containerStatuses?.map((one) => one.ready) ?? []);
    await eventually(readiness, (all) => all.includes(true) && all.includes(false), 'etcd runs, and nobody can log in');
    await issueInto(two, 'clustermesh-apiserver-server-cert', serverSpec(address.host));
    await eventually(readiness, (all) => all.length > 0 && all.every(Boolean), 'the pod is ready');
    await ready();
  });

  it('a client certificate of a different CA', async () => {
    const keep = found(one.store.get(refs.secret('cilium-clustermesh')), 'the Secret');
    const stranger = await issueCertificate(await createAuthority(), peerCertificateSpec('mesh-1'));
    setSecret(one, 'cilium-clustermesh', {
      'mesh-2.etcd-client.crt': stranger.certificate,
      'mesh-2.etcd-client.key': stranger.privateKey,
    });
    await says('❌ TLS client authentication failed: remote error: tls: unknown certificate authority');
    reconnect();
    await notConnected();
    one.store.update(refs.secret('cilium-clustermesh'), (secret) => {
      secret.data = keep.data;
    });
    await ready();
  });

  it('a removed user: refused at once, cut off with its connection, back when it is back', async () => {
    setUsers(two, []);
    await says('❌ Failed to retrieve key from etcd: etcdserver: permission denied');
    // An open connection goes on with what it watches.
    expect((await report())?.ready).toBe(true);
    reconnect();
    await notConnected();
    setUsers(two, ['remote-mesh-1']);
    await ready();
  });

  it('no ready clustermesh-apiserver', async () => {
    const scale = (replicas: number) =>
      two.store.update(refs.deployment('clustermesh-apiserver'), (deployment) => {
        (deployment.spec as { replicas: number }).replicas = replicas;
      });
    scale(0);
    await notConnected();
    await says(`dial tcp ${address.host}:2379: connect: connection refused`);
    scale(1);
    await ready();
  });

  it('a hung clustermesh-apiserver pod', async () => {
    const [pod] = two.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'clustermesh-apiserver' } });
    const { name } = found(pod, 'the pod').metadata;
    two.stopPod('kube-system', name);
    await notConnected();
    await says('connection refused');
    two.startPod('kube-system', name);
    await ready();
  });

  it('a cut link', async () => {
    sandbox.network.cutLink('mesh-1', 'mesh-2');
    await notConnected();
    await says(`dial tcp ${address.host}:2379: i/o timeout`);
    sandbox.network.mendLink('mesh-1', 'mesh-2');
    await ready();
  });

  it('a host name that nobody knows', async () => {
    const endpoint = { addresses: ['no-such-host.example:2379'] };
    setSecret(one, 'cilium-clustermesh', { 'mesh-2': remotePeerFile('mesh-2', endpoint, 'mesh-2.') });
    await notConnected();
    await says('❌ Cannot resolve hostname: lookup no-such-host.example on 10.96.0.10:53: no such host');
    setSecret(one, 'cilium-clustermesh', {
      'mesh-2': remotePeerFile('mesh-2', { addresses: [`${address.host}:2379`] }, 'mesh-2.'),
    });
    await ready();
  });

  it('a peering file that is no YAML, and one whose certificate is missing', async () => {
    const good = remotePeerFile('mesh-2', { addresses: [`${address.host}:2379`] }, 'mesh-2.');
    setSecret(one, 'cilium-clustermesh', { 'mesh-2': 'endpoints: [' });
    await notConnected();
    await says('❌ Cannot parse etcd configuration');
    setSecret(one, 'cilium-clustermesh', { 'mesh-2': good.replaceAll('mesh-2.etcd-client.crt', 'gone.crt') });
    await says('open /var/lib/cilium/clustermesh/gone.crt: no such file or directory');
    setSecret(one, 'cilium-clustermesh', { 'mesh-2': good });
    await ready();
  });

  it('a peering file under another name: the peer keeps its configuration to itself', async () => {
    const file = remotePeerFile('mesh-2', { addresses: [`${address.host}:2379`] }, 'mesh-2.');
    setSecret(one, 'cilium-clustermesh', { 'mesh-x': file });
    const reports = await eventually(
      () => agentReports(sandbox, 'mesh-1'),
      (peers) => peers.find(({ name }) => name === 'mesh-x')?.connected === true,
      'mesh-x connected',
    );
    const stranger = reports.find(({ name }) => name === 'mesh-x');
    expect(stranger).toMatchObject({ connected: true, config: { required: true } });
    expect(stranger?.ready).toBeUndefined();
    expect(stranger?.config).not.toHaveProperty('retrieved');
    setSecret(one, 'cilium-clustermesh', { 'mesh-x': undefined });
    await eventually(
      () => agentReports(sandbox, 'mesh-1'),
      (peers) => peers.every(({ name }) => name !== 'mesh-x'),
      'mesh-x gone',
    );
  });
});
