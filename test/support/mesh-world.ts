import type { ClusterClient } from '../../src/kube/client.ts';
import type { CertificateSpec } from '../../src/mesh/certificates/certificate.ts';
import { certificateSpecs } from '../../src/mesh/certificates/cluster-certificates.ts';
import { type CheckEntry, describeFindings, MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecksByMesh } from '../../src/mesh/checks/shared/by-mesh.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../../src/mesh/connect/direction.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile, remotePeerFile, remoteUsersFile } from '../../src/mesh/peers/file/peer-config.ts';
import { servedPeers } from '../../src/mesh/peers/peer-choices.ts';
import { configuredPeers, expectedPeers, knownPeers } from '../../src/mesh/peers/peers.ts';
import { remembered } from '../../src/mesh/remembered.ts';
import { judgeStanding } from '../../src/mesh/status/standing-status.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import type { Authority } from '../../src/pki/authority.ts';
import { generateEcKey } from '../../src/pki/certificate.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { readSnapshot, type SnapshotOptions } from '../../src/snapshot/read-snapshot.ts';
import { apiserverDeployment, loadBalancerService, secretObject } from './snapshots.ts';

const NAMESPACE = 'kube-system';
const BUNDLE = 'cilium-root-ca.crt';

/** How a cluster dials one of its peers: with a certificate of this CA for it alone, else with the one for all of its own CA. */
export interface Dialling {
  by?: Authority;
  /** The CAs that it takes the peer's server for, where it has a certificate for it alone; default: that one. */
  trusts?: readonly Authority[];
}

/** Cluster `mesh-<id>`, whose context is `c<id>`. */
export interface WorldCluster {
  id: number;
  /** Signs its certificates. */
  ca: Authority;
  /** In Secret cilium-ca; default: `ca`. None where others issue the certificates. */
  ownCa?: Authority | Omit<Authority, 'privateKey'> | 'none';
  /** The CAs beside its certificates; default: `ca`. */
  beside?: readonly Authority[];
  /** The bundle by which its programs go instead. */
  bundle?: readonly Authority[];
  kvstoremesh?: boolean;
  /** How far its API server's clock is ahead of the run's time; default: not at all. */
  clockAheadMs?: number;
  /** By the peer's number. */
  dials?: Readonly<Record<number, Dialling>>;
  /** Peers that have a user; default: those that it dials. */
  letsIn?: readonly number[];
  /** Annotations of its certificates, and of the agents' Secret. */
  annotations?: Readonly<Record<'certificates' | 'peers', Record<string, string>>>;
  /** What somebody has done to it since. */
  change?: (objects: KubeObject[]) => unknown;
}

/** A Secret of a cluster, or another object. */
export function objectAt(objects: readonly KubeObject[], name: string, kind = 'Secret'): KubeObject {
  const found = objects.find((one) => one.kind === kind && one.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

export function dropSecrets(objects: KubeObject[], ...names: string[]): void {
  for (const name of names) objects.splice(objects.indexOf(objectAt(objects, name)), 1);
}

/** Writes keys of a Secret. */
export function putTexts(objects: KubeObject[], name: string, texts: Readonly<Record<string, string>>): void {
  const secret = objectAt(objects, name);
  secret.data = { ...(secret.data as object), ...(secretObject(name, texts).data as object) };
}

/** A certificate as it is in a Secret, with CAs beside it. */
export async function certificateTexts(
  ca: Authority,
  spec: Partial<CertificateSpec>,
  beside: readonly Authority[] = [ca],
): Promise<Record<string, string>> {
  return { ...(await issued({ ca, spec })), 'ca.crt': pemOf(beside) };
}

/** Worlds that differ in something else have the same certificates. */
const issued = remembered(
  async ({ ca, spec }: { ca: Authority; spec: Partial<CertificateSpec> }) => {
    const whole = { commonName: '', usages: ['client'] as const, dnsNames: [], ipAddresses: [], ...spec };
    const { certificate, privateKey } = await issueCertificate(ca, whole, { key: generateEcKey() });
    return { 'tls.crt': certificate, 'tls.key': privateKey };
  },
  Number.POSITIVE_INFINITY,
  ({ ca, spec }) => JSON.stringify([ca.certificate, spec]),
);

/** The files of a peer's certificate as they are beside its peering file. */
export async function peerFiles(peer: string, own: string, { by, trusts = by ? [by] : [] }: Dialling) {
  const file = remotePeerFile(peer, { addresses: [`${addressOf(peer)}:2379`] }, by ? `${peer}.` : 'common-');
  if (!by) return { [peer]: file };
  const texts = await certificateTexts(by, { commonName: `remote-${own}` }, trusts);
  const [certificate, privateKey, ca] = [texts['tls.crt'], texts['tls.key'], texts['ca.crt']];
  const name = `${peer}.etcd-client`;
  return { [peer]: file, [`${name}.crt`]: certificate, [`${name}.key`]: privateKey, [`${name}-ca.crt`]: ca };
}

const pemOf = (authorities: readonly Authority[]) => authorities.map(({ certificate }) => certificate).join('\n');
const nameOf = (id: number | string) => `mesh-${id}`;
const addressOf = (name: string) => `172.18.${name.replace(nameOf(''), '')}.11`;

/** The objects of a cluster that is enabled and dials its peers. */
async function objectsOf(cluster: WorldCluster): Promise<KubeObject[]> {
  const { id, ca, ownCa = ca, beside = [ca], bundle, kvstoremesh = true, dials = {}, annotations, change } = cluster;
  const { letsIn = Object.keys(dials) } = cluster;
  const [own, address] = [nameOf(id), addressOf(nameOf(id))];
  const specs = certificateSpecs({ clusterName: own, namespace: NAMESPACE, serviceAddresses: [address], kvstoremesh });
  const certificates = specs.map(async ({ secret, spec }) => {
    const made = secretObject(secret, await certificateTexts(ca, spec, beside));
    return { ...made, metadata: { ...made.metadata, annotations: { ...annotations?.certificates } } };
  });
  const files = Object.entries(dials).map(([peer, how]) => peerFiles(nameOf(peer), own, how));
  const peers = Object.assign({}, ...(await Promise.all(files)));
  const cached = Object.fromEntries(Object.keys(dials).map((peer) => [nameOf(peer), cachedPeerFile(NAMESPACE)]));
  const agents = secretObject('cilium-clustermesh', kvstoremesh ? cached : peers);
  agents.metadata.annotations = { ...annotations?.peers };
  const config = { 'cluster-name': own, 'cluster-id': String(id), 'policy-default-local-cluster': 'true' };
  const users = letsIn.map((peer) => ({ name: `remote-${nameOf(peer)}`, role: 'remote' }));
  const deployment = apiserverDeployment({ kvstoremesh });
  const objects = [
    ...(await Promise.all(certificates)),
    ...(ownCa === 'none' ? [] : [authoritySecret(ownCa)]),
    withMounts(deployment, 'etcd-server-secrets', 'ca.crt', bundle),
    withMounts(agentsOf(), 'clustermesh-secrets', 'common-etcd-client-ca.crt', bundle),
    loadBalancerService(address),
    configMap('cilium-config', config),
    configMap('clustermesh-remote-users', { 'users.yaml': remoteUsersFile(users) }),
    ...(bundle ? [configMap(BUNDLE, { 'ca.crt': pemOf(bundle) })] : []),
    ...(kvstoremesh ? [secretObject('cilium-kvstoremesh', peers)] : []),
    agents,
    nodeOf(id),
  ];
  await change?.(objects);
  return objects;
}

/** Whoever keeps the key elsewhere signs elsewhere. */
function authoritySecret(ca: Authority | Omit<Authority, 'privateKey'>): KubeObject {
  return secretObject('cilium-ca', {
    'ca.crt': ca.certificate,
    ...('privateKey' in ca ? { 'ca.key': ca.privateKey } : {}),
  });
}

function configMap(name: string, data: Record<string, string>): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: NAMESPACE }, data };
}

function nodeOf(id: number): KubeObject {
  const addresses = [{ type: 'InternalIP', address: `172.18.${id}.21` }];
  const conditions = [{ type: 'Ready', status: 'True' }];
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' }, spec: {}, status: { addresses, conditions } };
}

function agentsOf(): KubeObject {
  const containers = [{ name: 'cilium-agent', image: 'quay.io/cilium/cilium:v1.20.0' }];
  return {
    ...{ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'cilium', namespace: NAMESPACE, generation: 1 } },
    spec: { template: { spec: { containers } } },
    status: { desiredNumberScheduled: 1, numberReady: 1 },
  };
}

/** With the volume that has its certificates, and the CAs of a bundle where it goes by one. */
function withMounts(workload: KubeObject, name: string, path: string, bundle: unknown): KubeObject {
  const { template } = workload.spec as { template: { spec: object } };
  const source = { configMap: { name: BUNDLE, items: [{ key: 'ca.crt', path }] } };
  const volumes = [{ name, projected: { sources: bundle ? [source] : [] } }];
  const spec = { ...(workload.spec as object), template: { ...template, spec: { ...template.spec, volumes } } };
  return { ...workload, spec };
}

/** Reads objects as if an API server had them. */
function clientOf(context: string, all: readonly KubeObject[], clockAheadMs = 0): ClusterClient {
  const byKey = new Map(all.map((object) => [keyOf(refOf(object)), object]));
  const listed = async ({ kind }: { kind: string }) => all.filter((one) => one.kind === kind && kind === 'Node');
  const client: Partial<ClusterClient> = {
    ...{ context, server: 'https://127.0.0.1:6443' },
    get: async (ref) => byKey.get(keyOf(ref)),
    listAll: listed,
    collect: async (selection, keep) => (await listed(selection)).flatMap((one) => [...keep(one)]),
    version: async () => 'v1.33.0',
    apiGroups: async () => [],
    aheadMs: () => clockAheadMs,
  };
  return client as ClusterClient;
}

/** What agents and KVStoreMesh of a cluster say besides that they are connected to all that its Secrets name. */
export interface Said {
  /** Peers that they have besides. */
  strangers?: readonly string[];
  /** The versions of its agents; default: nobody looked. */
  running?: readonly string[];
  /** By peer. */
  failing?: Readonly<Record<string, string>>;
}

function reportOf(snapshot: ClusterSnapshot, { strangers = [], failing = {} }: Said = {}): StatusReport {
  const { 'cluster-name': clusterName = '', 'cluster-id': id } = snapshot.ciliumConfig ?? {};
  const kvstoremesh = dialsThroughKvstoremesh(snapshot);
  const dialled = expectedPeers(snapshot);
  const tally = createTally({
    ...{ context: snapshot.context, namespace: NAMESPACE, clusterName, clusterId: Number(id), peers: dialled },
    ...{ serves: servedPeers(snapshot, configuredPeers(snapshot)), admits: knownPeers(snapshot) },
    ...{ enabled: true, kvstoremesh },
  });
  const connected = [...dialled, ...strangers].map((name) => ({ name, ready: true, connected: true }));
  const clusters = connected.map((one) => {
    const status = failing[one.name];
    return status === undefined ? one : { name: one.name, ready: false, connected: false, status };
  });
  // Agents read from a cache that goes on.
  tally.add('agent', { name: 'node-1', pod: 'cilium-1', clusters: kvstoremesh ? connected : clusters });
  if (kvstoremesh) tally.add('kvstoremesh', { name: 'pod-1', pod: 'pod-1', clusters });
  return tally.report();
}

function runningOf({ running = [] }: Said = {}) {
  return running.map((version) => ({ version, image: `quay.io/cilium/cilium:v${version}`, pods: 1 }));
}

/** What `status` and `check` make of clusters. */
export interface Verdicts {
  reports: StatusReport[];
  isHealthy: boolean;
  /** What `check` says does not pass. @param more what else each cluster's status has */
  check(asked?: {
    categories?: readonly string[];
    suppressed?: readonly string[];
    more?: Readonly<Record<string, Partial<StatusReport>>>;
    /** Whom invitations of any of them let in; default: they could not be read. */
    invited?: readonly string[];
  }): CheckEntry[];
}

/** @param said by context; unless it says so, all agents are connected, and only objects tell */
export async function lookAt(
  clusters: readonly WorldCluster[],
  said: Readonly<Record<string, Said>> = {},
): Promise<Verdicts> {
  const now = new Date();
  const objects = await Promise.all(clusters.map(objectsOf));
  const read = async (purpose: SnapshotOptions['purpose']) => {
    const clients = clusters.map(({ id, clockAheadMs }, at) => clientOf(`c${id}`, objects[at] ?? [], clockAheadMs));
    const snapshots = await Promise.all(
      clients.map((client) => readSnapshot(client, { namespace: NAMESPACE, purpose })),
    );
    return snapshots.map((snapshot): ClusterSnapshot => ({ ...snapshot, missingAccess: [] }));
  };
  const judge = (snapshots: readonly ClusterSnapshot[]) =>
    judgeStanding(
      snapshots.map((snapshot) => ({
        ...{ report: reportOf(snapshot, said[snapshot.context]), snapshot },
        running: runningOf(said[snapshot.context]),
      })),
      now,
    );
  const [reports, whole] = [judge(await read('health')), await read('connect')];
  const statuses = judge(whole);
  return {
    reports,
    isHealthy: reports.every(({ healthy }) => healthy),
    check({ categories = [], suppressed = [], more = {}, invited } = {}) {
      const asked = MESH_CHECKS.filter(({ category }) => categories.length === 0 || categories.includes(category));
      const observed = statuses.map(({ context, ...status }) => {
        const seen = { containers: [], nodes: [], invited, status: { context, ...status, ...more[context] } };
        return [context, seen] as const;
      });
      const input = { clusters: whole, now, observed: new Map(observed) };
      const entries = describeFindings(
        asked,
        runChecksByMesh(MESH_CHECKS, input, suppressed),
        whole.map(({ context }) => context),
      );
      return entries.filter(({ severity }) => severity !== 'pass');
    },
  };
}
