import { afterAll, beforeAll, describe, it } from 'vitest';
import type { FailureClass } from '../../src/mesh/status/failure-reason.ts';
import type { StatusComponent } from '../../src/mesh/status/status.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { lasting, serverCertificateSpec } from './certificate-specs.ts';
import { configure, cutLink, edit, restorerOf, type Undo } from './check-scenarios.ts';
import { podsOf } from './cluster-pods.ts';
import { enable } from './e2e-cli.ts';
import { lookAtStatus } from './open-look.ts';
import { type ReasonMesh, startReasonMesh } from './reason-mesh.ts';
import { eventually, found, issueInto, peerCertificateSpec, refs, setSecret, setUsers } from './sandbox-mesh.ts';

const SERVER_CERT = 'clustermesh-apiserver-server-cert';
const CLUSTER_ROLE = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  name: 'clustermesh-apiserver',
};

interface ReasonScenario {
  when: string;
  /** Who says it; else who dials the peer: KVStoreMesh, or the agents where there is none. */
  component?: StatusComponent;
  /** It can be so only with KVStoreMesh. */
  withKvstoremesh?: true;
  /** It is so already after the change; else mesh-1 has to dial mesh-2 anew. */
  atOnce?: true;
  /** It is so if it stays for so long: before that it may be what each start goes through. */
  laterMs?: number;
  /** Breaks it, and gives the way back. */
  change(mesh: ReasonMesh): Undo | Promise<Undo>;
}

/** Without a matter of minutes (test/unit/standing-status.test.ts), and words that nobody knows yet (test/unit/status.test.ts). */
type Quick = Exclude<FailureClass, 'not-taken-up' | 'unknown'>;

/** For each class what makes it so. A class without a scenario is an error of tsc. */
const SCENARIOS: Readonly<Record<Quick, readonly [ReasonScenario, ...ReasonScenario[]]>> = {
  'not-configured': [
    {
      when: "the kubelets have not looked at the agents' Secret yet",
      component: 'agent',
      atOnce: true,
      async change({ one, nudge, sandbox }) {
        const undo = restorerOf(one, refs.secret('cilium-clustermesh'));
        setSecret(one, 'cilium-clustermesh', { 'mesh-2': undefined });
        nudge(one);
        await eventually(
          () => lookAtStatus(sandbox, 'mesh-1'),
          ({ peers }) => peers.every(({ name, agents }) => name !== 'mesh-2' || agents.configured === 0),
          'no agent has mesh-2 any more',
        );
        undo();
        return () => undefined;
      },
    },
  ],
  'cannot-resolve': [
    {
      when: 'nobody knows the host name',
      change: ({ setFiles, fileOf }) =>
        setFiles({ 'mesh-2': fileOf('mesh-2').replace(/https:.*/, 'https://gone.example:2379') }),
    },
  ],
  'own-apiserver-missing': [
    {
      when: 'the own clustermesh-apiserver was deleted',
      component: 'agent',
      withKvstoremesh: true,
      change({ one, meshctl }) {
        one.store.delete(refs.deployment('clustermesh-apiserver'));
        return () => meshctl.ok(enable('mesh-1'));
      },
    },
  ],
  refused: [
    {
      when: 'the clustermesh-apiserver has no replica',
      change: ({ two }) =>
        edit(two, refs.deployment('clustermesh-apiserver'), ({ spec }) => {
          (spec as { replicas: number }).replicas = 0;
        }),
    },
  ],
  'timed-out': [
    {
      when: 'nothing goes through',
      change: cutLink,
    },
  ],
  'tls-unknown-ca': [
    {
      when: 'a different CA is trusted than the one of the server',
      change: ({ setFiles, three }) => setFiles({ 'mesh-2.etcd-client-ca.crt': found(three.ca, 'a CA').certificate }),
    },
    {
      when: 'the server certificate is from a different CA than before',
      change: ({ two, three }) =>
        serveWith(two, () => issueInto(two, SERVER_CERT, serverCertificateSpec(two), {}, three)),
    },
  ],
  'tls-expired': [
    {
      when: 'the server certificate has expired',
      change: ({ two }) => serveWith(two, () => issueInto(two, SERVER_CERT, serverCertificateSpec(two), lasting(-1))),
    },
    {
      when: 'the client certificate has expired',
      change: ({ setFiles, two }) => clientCertificate(two, setFiles, lasting(-1)),
    },
  ],
  'tls-name': [
    {
      when: 'the server certificate does not cover the address',
      change: ({ two }) =>
        serveWith(two, () =>
          issueInto(two, SERVER_CERT, { ...serverCertificateSpec(two), ipAddresses: ['127.0.0.1', '::1'] }),
        ),
    },
  ],
  'tls-client-rejected': [
    {
      when: 'the client certificate is from a CA that the server does not know',
      change: ({ setFiles, three }) => clientCertificate(three, setFiles),
    },
  ],
  'permission-denied': [
    {
      when: 'there is no etcd user for the cluster',
      change: ({ two }) => withoutUsers(two),
    },
  ],
  'config-invalid': [
    {
      when: 'a file that the peering file names is missing',
      change: ({ setFiles }) => setFiles({ 'mesh-2.etcd-client.key': undefined }),
    },
    {
      when: 'the private key belongs to a different certificate',
      change: ({ setFiles, three }) => setFiles({ 'mesh-2.etcd-client.key': found(three.ca, 'a CA').privateKey }),
    },
    {
      when: 'the peering file is not YAML',
      change: ({ setFiles }) => setFiles({ 'mesh-2': 'endpoints: [' }),
    },
  ],
  'config-not-retrieved': [
    {
      when: 'the peering file leads to another cluster that lets it in',
      laterMs: 10 * 60_000,
      change: ({ setFiles, fileOf }) => setFiles({ 'mesh-2': fileOf('mesh-3') }),
    },
  ],
  'wrong-cluster': [
    {
      when: "the peer was installed again with the cluster's own id",
      change({ two }) {
        const undo = configure(two, { 'cluster-id': '1' });
        restartApiserver(two);
        return () => {
          undo();
          restartApiserver(two);
        };
      },
    },
  ],
  syncing: [
    {
      when: 'the peering file leads to another cluster since a moment ago, which may not describe itself yet',
      change: ({ setFiles, fileOf }) => setFiles({ 'mesh-2': fileOf('mesh-3') }),
    },
    {
      when: "the peer's clustermesh-apiserver may not read what it should publish",
      change({ two }) {
        const undo = edit(two, CLUSTER_ROLE, (role) => {
          role.rules = [];
        });
        restartApiserver(two);
        return undo;
      },
    },
  ],
  starting: [
    {
      when: 'the peer lets it in again, and it has not tried again yet',
      atOnce: true,
      async change({ two, nudge, redial, sees }) {
        const undo = withoutUsers(two);
        redial();
        await sees('permission-denied');
        undo();
        nudge(two);
        return () => undefined;
      },
    },
  ],
  'agent-unreachable': [
    {
      when: 'an agent hangs',
      component: 'agent',
      atOnce: true,
      change({ one }) {
        const [pod] = podsOf(one, 'cilium');
        const name = found(pod, 'an agent').metadata.name;
        one.stopPod('kube-system', name);
        return () => one.startPod('kube-system', name);
      },
    },
  ],
  'tls-usage': [
    {
      when: 'the server certificate is not for servers',
      change: ({ two }) =>
        serveWith(two, () => issueInto(two, SERVER_CERT, { ...serverCertificateSpec(two), usages: ['client'] })),
    },
  ],
};

/**
 * Tests of all reasons: with each scenario the status of mesh-1 gives the class for mesh-2, and is healthy again when that
 * is mended. @param kvstoremesh whether the clusters run it
 */
export function reasonScenarios({ kvstoremesh }: { kvstoremesh: boolean }): void {
  let mesh: ReasonMesh;
  beforeAll(async () => {
    mesh = await startReasonMesh(kvstoremesh);
  });
  afterAll(() => mesh.sandbox.close());

  const isHealthy = () =>
    eventually(
      () => lookAtStatus(mesh.sandbox, 'mesh-1'),
      ({ healthy, problems }) => healthy && problems.length === 0,
      'mesh-1 is healthy',
    );

  const possible = Object.entries(SCENARIOS)
    .map(
      ([reason, all]) =>
        [reason, all.filter(({ withKvstoremesh = kvstoremesh }) => withKvstoremesh === kvstoremesh)] as const,
    )
    .filter(([, scenarios]) => scenarios.length > 0);

  describe.each(possible)('%s', (reason, scenarios) => {
    it.each(scenarios.map((scenario) => [scenario.when, scenario] as const))('when %s', async (_when, scenario) => {
      const undo = await scenario.change(mesh);
      try {
        if (!scenario.atOnce) mesh.redial();
        await mesh.sees(reason as FailureClass, scenario.component, scenario.laterMs);
      } finally {
        await undo();
        mesh.redial();
      }
      await isHealthy();
    });
  });
}

/** Its successor starts with what the objects say now, and an empty etcd. */
function restartApiserver(cluster: SandboxCluster): void {
  for (const { apiVersion, kind, metadata } of podsOf(cluster, 'clustermesh-apiserver')) {
    cluster.store.delete({ apiVersion, kind, namespace: metadata.namespace, name: metadata.name });
  }
}

function withoutUsers(cluster: SandboxCluster): Undo {
  const undo = restorerOf(cluster, refs.configMap('clustermesh-remote-users'));
  setUsers(cluster, []);
  return undo;
}

/** Another server certificate, for the time being. */
async function serveWith(cluster: SandboxCluster, issue: () => Promise<void>): Promise<Undo> {
  const undo = restorerOf(cluster, refs.secret(SERVER_CERT));
  await issue();
  return undo;
}

/** mesh-1 gets another certificate for mesh-2, from a cluster's CA. */
async function clientCertificate(
  signer: SandboxCluster,
  setFiles: ReasonMesh['setFiles'],
  validity: Parameters<typeof issueCertificate>[2] = {},
): Promise<Undo> {
  const issued = await issueCertificate(found(signer.ca, 'a CA'), peerCertificateSpec('mesh-1'), validity);
  return setFiles({
    'mesh-2.etcd-client.crt': issued.certificate,
    'mesh-2.etcd-client.key': issued.privateKey,
  });
}
