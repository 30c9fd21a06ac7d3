import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FailureClass } from '../../src/mesh/failure-reason.ts';
import type { KubeObject } from '../../src/mesh/kube-object.ts';
import type { StatusComponent } from '../../src/mesh/status.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { configure, edit, putBack, type Undo } from './check-scenarios.ts';
import { connect, enable, type Meshctl, meshctlWith, waitForStatus } from './e2e-cli.ts';
import { lasting, serverCertificateSpec } from './foreign.ts';
import {
  eventually,
  found,
  issueInto,
  peerCertificateSpec,
  refs,
  setSecret,
  setUsers,
  startTestSandbox,
  type TestSandbox,
} from './sandbox-mesh.ts';

/** Kubelets look when they are nudged, and who was denied does not dial again by itself: nothing happens by the way. */
const NEVER_MS = 3_600_000;
const SERVER_CERT = 'clustermesh-apiserver-server-cert';

/** mesh-1 is connected to mesh-2 and mesh-3; what is broken is its connection to mesh-2. */
interface ReasonMesh {
  sandbox: TestSandbox;
  meshctl: Meshctl;
  one: SandboxCluster;
  two: SandboxCluster;
  three: SandboxCluster;
  /** Sets keys of the Secret by which mesh-1 dials its peers. */
  setFiles(files: Record<string, string | undefined>): Undo;
  /** The peering file of mesh-1 for a peer, as it is now. */
  fileOf(peer: string): string;
  /** Lets a cluster's pods see their Secrets and ConfigMaps as they are now. */
  nudge(cluster: SandboxCluster): void;
  /** Nudges both sides, and lets mesh-1 dial mesh-2 anew. */
  redial(): void;
  /** Waits until the status of mesh-1 gives this reason for mesh-2. */
  sees(reason: FailureClass, component?: StatusComponent): Promise<void>;
}

interface ReasonScenario {
  when: string;
  /** Who says it; else who dials the peer: KVStoreMesh, or the agents where there is none. */
  component?: StatusComponent;
  /** It is so already after the change; else mesh-1 has to dial mesh-2 anew. */
  atOnce?: true;
  /** Breaks it, and gives the way back. */
  change(mesh: ReasonMesh): Undo | Promise<Undo>;
}

/** For each class what makes it so. A class without a scenario is an error of tsc. */
const SCENARIOS: Readonly<Record<FailureClass, ReasonScenario>> = {
  'not-configured': {
    when: "the kubelets have not looked at the agents' Secret yet",
    component: 'agent',
    atOnce: true,
    async change({ one, nudge, meshctl }) {
      const undo = putBack(one, refs.secret('cilium-clustermesh'));
      setSecret(one, 'cilium-clustermesh', { 'mesh-2': undefined });
      nudge(one);
      await eventually(
        () => meshctl.status('mesh-1'),
        ({ peers }) => !peers.some(({ name }) => name === 'mesh-2'),
        'mesh-2 is no peer any more',
      );
      undo();
      return () => undefined;
    },
  },
  'cannot-resolve': {
    when: 'nobody knows the host name',
    change: ({ setFiles, fileOf }) =>
      setFiles({ 'mesh-2': fileOf('mesh-2').replace(/https:.*/, 'https://gone.example:2379') }),
  },
  refused: {
    when: 'the clustermesh-apiserver has no replica',
    change: ({ two }) =>
      edit(two, refs.deployment('clustermesh-apiserver'), ({ spec }) => {
        (spec as { replicas: number }).replicas = 0;
      }),
  },
  'timed-out': {
    when: 'nothing goes through',
    change({ sandbox }) {
      sandbox.network.cutLink('mesh-1', 'mesh-2');
      return () => sandbox.network.mendLink('mesh-1', 'mesh-2');
    },
  },
  'tls-unknown-ca': {
    when: 'another CA is trusted than the one of the server',
    change: ({ setFiles, three }) => setFiles({ 'mesh-2.etcd-client-ca.crt': found(three.ca, 'a CA').certificate }),
  },
  'tls-expired': {
    when: 'the server certificate has expired',
    change: ({ two }) => serveWith(two, () => issueInto(two, SERVER_CERT, serverCertificateSpec(two), lasting(-1))),
  },
  'tls-name': {
    when: 'the server certificate does not cover the address',
    change: ({ two }) =>
      serveWith(two, () =>
        issueInto(two, SERVER_CERT, { ...serverCertificateSpec(two), ipAddresses: ['127.0.0.1', '::1'] }),
      ),
  },
  'tls-client-rejected': {
    when: 'the client certificate is from a CA that the server does not know',
    async change({ setFiles, three }) {
      const issued = await issueCertificate(found(three.ca, 'a CA'), peerCertificateSpec('mesh-1'));
      return setFiles({
        'mesh-2.etcd-client.crt': issued.certificate,
        'mesh-2.etcd-client.key': issued.privateKey,
      });
    },
  },
  'permission-denied': {
    when: 'there is no etcd user for the cluster',
    change: ({ two }) => withoutUsers(two),
  },
  'config-invalid': {
    when: 'a file that the peering file names is not there',
    change: ({ setFiles }) => setFiles({ 'mesh-2.etcd-client.key': undefined }),
  },
  'config-not-retrieved': {
    when: 'the peering file leads to another cluster that lets it in',
    change: ({ setFiles, fileOf }) => setFiles({ 'mesh-2': fileOf('mesh-3') }),
  },
  'wrong-cluster': {
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
  syncing: {
    when: "the peer's clustermesh-apiserver may not read what it should publish",
    change({ two }) {
      const undo = edit(two, CLUSTER_ROLE, (role) => {
        role.rules = [];
      });
      restartApiserver(two);
      return undo;
    },
  },
  starting: {
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
  'agent-unreachable': {
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
  unknown: {
    when: 'the server certificate is not for servers: Go says so in words of its own',
    change: ({ two }) =>
      serveWith(two, () => issueInto(two, SERVER_CERT, { ...serverCertificateSpec(two), usages: ['client'] })),
  },
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
      () => mesh.meshctl.status('mesh-1'),
      ({ healthy, problems }) => healthy && problems.length === 0,
      'mesh-1 is healthy',
      { deadlineMs: 10_000 },
    );

  describe.each(Object.entries(SCENARIOS))('%s', (reason, scenario) => {
    it(`when ${scenario.when}`, async () => {
      const undo = await scenario.change(mesh);
      try {
        if (!scenario.atOnce) mesh.redial();
        await mesh.sees(reason as FailureClass, scenario.component);
      } finally {
        await undo();
        mesh.redial();
      }
      await isHealthy();
    });
  });
}

async function startReasonMesh(kvstoremesh: boolean): Promise<ReasonMesh> {
  const timings = { secretSyncMs: NEVER_MS, permissionDeniedRetryMs: NEVER_MS };
  const sandbox = await startTestSandbox({ clusters: 3, nodes: 1, timings });
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2,mesh-3', `--enable-kvstoremesh=${kvstoremesh}`));
  for (const peer of ['mesh-2', 'mesh-3']) await meshctl.ok(connect('mesh-1', peer));
  await meshctl.ok(waitForStatus('mesh-1', '20s'));
  const [one, two, three] = ['mesh-1', 'mesh-2', 'mesh-3'].map((name) =>
    found(
      sandbox.clusters.find((cluster) => cluster.name === name),
      name,
    ),
  ) as [SandboxCluster, SandboxCluster, SandboxCluster];
  const secret = kvstoremesh ? 'cilium-kvstoremesh' : 'cilium-clustermesh';
  let dials = 0;

  function setFiles(files: Record<string, string | undefined>): Undo {
    const undo = putBack(one, refs.secret(secret));
    setSecret(one, secret, files);
    return undo;
  }

  function fileOf(peer: string): string {
    const { data } = found(one.store.get(refs.secret(secret)), secret) as { data?: Record<string, string> };
    return Buffer.from(data?.[peer] ?? '', 'base64').toString();
  }

  return {
    ...{ sandbox, meshctl, one, two, three, setFiles, fileOf, nudge },
    redial() {
      nudge(two);
      dials += 1;
      const [text] = fileOf('mesh-2').split('# dial');
      setSecret(one, secret, { 'mesh-2': `${text}# dial ${dials}\n` });
      nudge(one);
    },
    async sees(reason, component = kvstoremesh ? 'kvstoremesh' : 'agent') {
      const report = await eventually(
        () => meshctl.status('mesh-1'),
        ({ problems }) => {
          const [problem, ...more] = problems.filter(({ peer }) => peer === 'mesh-2');
          return problem?.component === component && problem.class === reason && more.length === 0;
        },
        `the status says ${reason}`,
      );
      expect(report.healthy).toBe(false);
    },
  };
}

const CLUSTER_ROLE = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  name: 'clustermesh-apiserver',
};

function podsOf({ store }: SandboxCluster, app: string): KubeObject[] {
  return store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labels: { 'k8s-app': app } });
}

function nudge(cluster: SandboxCluster): void {
  for (const app of ['clustermesh-apiserver', 'cilium']) {
    for (const { apiVersion, kind, metadata } of podsOf(cluster, app)) {
      const { namespace, name, annotations } = metadata;
      const nudges = Number(annotations?.nudges ?? 0) + 1;
      cluster.store.update({ apiVersion, kind, namespace, name }, (pod) => {
        pod.metadata.annotations = { ...annotations, nudges: String(nudges) };
      });
    }
  }
}

/** Its successor starts with what the objects say now, and an empty etcd. */
function restartApiserver(cluster: SandboxCluster): void {
  for (const { apiVersion, kind, metadata } of podsOf(cluster, 'clustermesh-apiserver')) {
    cluster.store.delete({ apiVersion, kind, namespace: metadata.namespace, name: metadata.name });
  }
}

function withoutUsers(cluster: SandboxCluster): Undo {
  const undo = putBack(cluster, refs.configMap('clustermesh-remote-users'));
  setUsers(cluster, []);
  return undo;
}

/** Another server certificate, for the time being. */
async function serveWith(cluster: SandboxCluster, issue: () => Promise<void>): Promise<Undo> {
  const undo = putBack(cluster, refs.secret(SERVER_CERT));
  await issue();
  return undo;
}
