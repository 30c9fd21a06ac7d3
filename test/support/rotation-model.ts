import { X509Certificate } from 'node:crypto';
import { readMembers } from '../../src/flows/connect/read-members.ts';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { makeSuccessors } from '../../src/flows/rotation/prepare-rotation.ts';
import { type Authorities, materialise, readAuthorities } from '../../src/flows/write/materialise.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { mergePatch } from '../../src/kube/merge-patch.ts';
import { certificateSpecs, clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { certificateBlocks } from '../../src/mesh/certificates/pem.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { type KubeObject, keyOf, type ObjectRef, refOf } from '../../src/mesh/objects/kube-object.ts';
import { encodeText, secretText, secretTexts } from '../../src/mesh/objects/secret-data.ts';
import {
  cachedPeerFile,
  peerCertificateKeys,
  remotePeerFile,
  remoteUsersFile,
} from '../../src/mesh/peers/file/peer-config.ts';
import type { ReadyWrite, Step } from '../../src/mesh/plan/plan.ts';
import { TLS_KEYS } from '../../src/mesh/plan/plan.ts';
import { hasWork, planRotation } from '../../src/mesh/rotation/phases.ts';
import type { TrustedAuthority } from '../../src/mesh/rotation/rotated-certificates.ts';
import { successorName } from '../../src/mesh/rotation/rotated-cluster.ts';
import { scopeRotation } from '../../src/mesh/rotation/scope.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { readCertificate } from '../../src/pki/read.ts';
import { apiserverDeployment, loadBalancerService } from './snapshots.ts';

/**
 * A mesh as a model: the objects of each cluster, and what its programs have read of them. Kubelets are at once; etcd reads
 * its CA only at its start, Cilium a peer's CA only with a changed peering file.
 */
export interface ModelCluster {
  name: string;
  objects: Map<string, KubeObject>;
  /** PEM of what the etcd trusts. */
  etcdTrusts: string;
  /** PEM of what KVStoreMesh trusts of a peer, and the agents of their own cache (''), with the file that made it read. */
  dials: Map<string, { file: string; trusts: string }>;
}

export type World = readonly ModelCluster[];

const NAMESPACE = 'kube-system';
const NOW = new Date('2026-06-01T00:00:00Z');
/** Two sizes, so that the tests' pool of keys can tell a CA, whose key must be new, from a leaf. */
const LEAF_BITS = 1024;
export const CA_BITS = 1032;

const flow = { now: () => NOW, signal: new AbortController().signal } as Flow;

const secretRef = (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'Secret', namespace: NAMESPACE, name });
const objectOf = (ref: ObjectRef, more: object): KubeObject => ({
  apiVersion: ref.apiVersion,
  kind: ref.kind,
  metadata: { name: ref.name, namespace: NAMESPACE, resourceVersion: '1', uid: ref.name },
  ...more,
});
const encoded = (data: Record<string, string>) =>
  Object.fromEntries(Object.entries(data).map(([key, text]) => [key, encodeText(text)]));

/** Clusters `mesh-1`… that all dial each other with certificates of their own. */
export async function meshOf(
  count: number,
  names = Array.from({ length: count }, (_, index) => `mesh-${index + 1}`),
  firstId = 1,
): Promise<World> {
  const authorities = await Promise.all(names.map(() => createAuthority({ now: NOW, keySize: CA_BITS })));
  const issue = (index: number, spec: Parameters<typeof issueCertificate>[1]) => {
    const authority = authorities[index];
    if (!authority) throw new Error('no CA');
    return issueCertificate(authority, spec, { now: NOW, keySize: LEAF_BITS });
  };
  const world = await Promise.all(
    names.map(async (name, index): Promise<ModelCluster> => {
      const ca = authorities[index]?.certificate ?? '';
      const peers = names.filter((peer) => peer !== name);
      const specs = certificateSpecs({
        clusterName: name,
        namespace: NAMESPACE,
        serviceAddresses: [`10.0.0.${index + 1}`],
        kvstoremesh: true,
      });
      const own = await Promise.all(
        specs.map(async ({ secret, spec }) => {
          const { certificate, privateKey } = await issue(index, spec);
          const data = encoded({ 'ca.crt': ca, 'tls.crt': certificate, 'tls.key': privateKey });
          return objectOf(secretRef(secret), { type: 'kubernetes.io/tls', data });
        }),
      );
      const dialling = await Promise.all(
        peers.map(async (peer) => {
          const server = names.indexOf(peer);
          const { certificate, privateKey } = await issue(server, clientSpec(`remote-${name}`));
          const keys = peerCertificateKeys(peer);
          return {
            [peer]: remotePeerFile(peer, { addresses: [`10.0.0.${server + 1}:2379`] }, `${peer}.`),
            [keys.ca]: authorities[server]?.certificate ?? '',
            [keys.certificate]: certificate,
            [keys.privateKey]: privateKey,
          };
        }),
      );
      const cached = Object.fromEntries(peers.map((peer) => [peer, cachedPeerFile(NAMESPACE)]));
      const configMap = (configName: string, data: object) =>
        objectOf({ ...secretRef(configName), kind: 'ConfigMap' }, { data });
      const objects = [
        configMap('cilium-config', { 'cluster-name': name, 'cluster-id': String(index + firstId) }),
        configMap('clustermesh-remote-users', {
          'users.yaml': remoteUsersFile(peers.map((peer) => ({ name: `remote-${peer}`, role: 'remote' }))),
        }),
        objectOf(
          { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: NAMESPACE, name: 'cilium' },
          {
            spec: {
              template: { spec: { containers: [{ name: 'cilium-agent', image: 'quay.io/cilium/cilium:v1.20.0' }] } },
            },
          },
        ),
        apiserverDeployment(),
        loadBalancerService(`10.0.0.${index + 1}`),
        objectOf(secretRef('cilium-ca'), {
          data: encoded({ 'ca.crt': ca, 'ca.key': authorities[index]?.privateKey ?? '' }),
        }),
        ...own,
        objectOf(secretRef('cilium-kvstoremesh'), { data: encoded(Object.assign({}, ...dialling)) }),
        objectOf(secretRef('cilium-clustermesh'), { data: encoded(cached) }),
      ];
      const live = new Map(objects.map((object) => [keyOf(refOf(object)), object]));
      return { name, objects: live, etcdTrusts: ca, dials: new Map() };
    }),
  );
  for (const cluster of world) reload(cluster);
  return world;
}

export function copyOf(world: World): World {
  return world.map((cluster) => ({ ...cluster, objects: new Map(cluster.objects), dials: new Map(cluster.dials) }));
}

const textsOf = (cluster: ModelCluster, name: string) => secretTexts(cluster.objects.get(keyOf(secretRef(name))));
const SERVER = 'clustermesh-apiserver-server-cert';
const LOCAL = 'clustermesh-apiserver-local-cert';

/** What agents and KVStoreMesh read of what is mounted: CAs only with a changed file, or at the start of a pod. */
function reload(cluster: ModelCluster, { started = false } = {}): void {
  const files = textsOf(cluster, 'cilium-kvstoremesh');
  for (const peer of Object.keys(files).filter((key) => files[key]?.includes('endpoints:'))) {
    const file = files[peer] ?? '';
    if (!started && cluster.dials.get(peer)?.file === file) continue;
    cluster.dials.set(peer, { file, trusts: files[peerCertificateKeys(peer).ca] ?? '' });
  }
  const cache = Object.values(textsOf(cluster, 'cilium-clustermesh')).join('');
  if (cluster.dials.get('')?.file !== cache) {
    cluster.dials.set('', { file: cache, trusts: textsOf(cluster, LOCAL)[TLS_KEYS.ca] ?? '' });
  }
}

/** Connections that would be refused if they were made anew now, as sentences. */
export function refusedIn(world: World): string[] {
  return world.flatMap((server) => {
    const shown = textsOf(server, SERVER)[TLS_KEYS.certificate] ?? '';
    const attempt = (who: string, certificate: string | undefined, trusts: string | undefined): string[] => [
      ...(isFrom(shown, trusts) ? [] : [`${who} does not trust ${server.name}`]),
      ...(isFrom(certificate, server.etcdTrusts) ? [] : [`${server.name} refuses ${who}`]),
    ];
    const clients = world.filter((client) => client !== server);
    return [
      ...clients.flatMap((client) => {
        const certificate = textsOf(client, 'cilium-kvstoremesh')[peerCertificateKeys(server.name).certificate];
        return attempt(client.name, certificate, client.dials.get(server.name)?.trusts);
      }),
      ...attempt(
        `an agent of ${server.name}`,
        textsOf(server, LOCAL)[TLS_KEYS.certificate],
        server.dials.get('')?.trusts,
      ),
      ...attempt(
        `the apiserver of ${server.name}`,
        textsOf(server, 'clustermesh-apiserver-admin-cert')[TLS_KEYS.certificate],
        textsOf(server, 'clustermesh-apiserver-admin-cert')[TLS_KEYS.ca],
      ),
    ];
  });
}

function isFrom(certificate = '', bundle = ''): boolean {
  const question = certificate + bundle;
  const known = verified.get(question);
  if (known !== undefined) return known;
  const leaf = new X509Certificate(certificate);
  const from = certificateBlocks(bundle).some((pem) => leaf.verify(new X509Certificate(pem).publicKey));
  verified.set(question, from);
  return from;
}

const verified = new Map<string, boolean>();

/** Every CA that is trusted anywhere, and each that has signed something; one for each cluster when all is settled. */
export function authoritiesIn(world: World): Set<string> {
  const bundles = world.flatMap((cluster) =>
    [...cluster.objects.values()].flatMap((object) =>
      object.kind === 'Secret' ? Object.entries(secretTexts(object)).filter(([key]) => key.endsWith('ca.crt')) : [],
    ),
  );
  const texts = [...bundles.map(([, text]) => text), ...world.map(({ etcdTrusts }) => etcdTrusts)];
  return new Set(texts.flatMap(certificateBlocks));
}

/** The CA in Secret cilium-ca of each cluster. */
export const presentCas = (world: World) => world.map((cluster) => textsOf(cluster, 'cilium-ca')['ca.crt']);

/** The peering files as they are. */
export const peeringFiles = (world: World) =>
  world.map((cluster) =>
    [textsOf(cluster, 'cilium-kvstoremesh'), textsOf(cluster, 'cilium-clustermesh')].map((texts) =>
      Object.fromEntries(Object.entries(texts).filter(([, text]) => text.includes('endpoints:'))),
    ),
  );

function targetsOf(world: World): Target[] {
  return world.map((cluster): Target => {
    const client = {
      context: cluster.name,
      server: `https://${cluster.name}`,
      get: async (ref: ObjectRef) => cluster.objects.get(keyOf(ref)),
      listAll: async () => [],
      collect: async () => [],
      version: async () => 'v1.36.0',
      apiGroups: async () => [],
    };
    return { client: client as unknown as ClusterClient, namespace: NAMESPACE };
  });
}

/** The clusters as commands read them. */
export function membersIn(world: World): Promise<Member[]> {
  return readMembers(targetsOf(world), 4);
}

/** A cluster of another mesh that has lost all of its peers. */
export async function loneCluster(name: string, id: number): Promise<ModelCluster> {
  const [cluster] = await meshOf(1, [name], id);
  if (!cluster) throw new Error('no cluster');
  return cluster;
}

/** What a step leaves in a Secret, as text. */
export async function textsWritten(world: World, step: Step): Promise<Record<string, string>> {
  const copy = copyOf(world);
  const authorities = await readAuthorities(targetsOf(copy), [step]);
  apply(copy, step, await materialise(step, authorities, NOW));
  const cluster = copy.find(({ name }) => name === step.cluster);
  return cluster ? textsOf(cluster, step.object.name) : {};
}

/** Carries steps out, one after the other. */
export async function carryOut(world: World, steps: readonly Step[]): Promise<void> {
  const authorities = await readAuthorities(targetsOf(world), steps);
  for (const step of steps) if (step.action !== 'keep') apply(world, step, await materialise(step, authorities, NOW));
}

/** Rotates as the flow does, without waits, and ends after so many writes. @returns whether it came to its end */
export async function rotateModel(
  world: World,
  { ca, after = () => true }: { ca: boolean; after?: (step: Step) => boolean },
): Promise<boolean> {
  const targets = targetsOf(world);
  runs += 1;
  const now = new Date(NOW.getTime() + runs * 1000);
  const read = (): Promise<Member[]> => readMembers(targets, 4);
  const first = await read();
  const scope = scopeRotation(first, { ca, force: false }, now);
  const input = { ...scope, asked: {}, force: false, now };
  const plan = planRotation({ ...input, members: first, successors: new Map() });
  const made = await makeSuccessors(
    flow,
    plan.flatMap(({ steps }) => steps),
  );
  const successors = successorsOf(made, first);
  for (let members = first; ; members = await read()) {
    const phase = planRotation({ ...input, members, successors }).find(hasWork);
    if (!phase) return true;
    const authorities = new Map([...(await readAuthorities(targets, phase.steps)), ...made]);
    // A phase restarts pods when all of its Secrets are written.
    const order = (step: Step) => Number(step.write?.method === 'restart');
    for (const step of [...phase.steps].sort((a, b) => order(a) - order(b))) {
      if (step.action === 'keep') continue;
      apply(world, step, await materialise(step, authorities, now));
      if (!after(step)) return false;
    }
  }
}

/** Each run has a time of its own. */
let runs = 0;

function successorsOf(made: Authorities, members: readonly Member[]): Map<string, TrustedAuthority> {
  return new Map(
    members.flatMap(({ snapshot: { context } }): [string, TrustedAuthority][] => {
      const pem = made.get(successorName(context))?.certificate;
      return pem === undefined ? [] : [[context, { facts: readCertificate(pem), pem }]];
    }),
  );
}

function apply(world: World, step: Step, write: ReadyWrite): void {
  const cluster = world.find(({ name }) => name === step.cluster);
  if (cluster && write.method === 'create') {
    const { metadata } = write.object;
    const made = { ...write.object, metadata: { ...metadata, resourceVersion: '1', uid: `${metadata.name}-2` } };
    cluster.objects.set(keyOf(step.object), made);
    reload(cluster);
    return;
  }
  const live = cluster?.objects.get(keyOf(step.object));
  if (!cluster || !live) throw new Error(`no ${step.object.name} in ${step.cluster}`);
  const edit = write.method === 'edit' ? write.edit(live) : undefined;
  const patch = write.method === 'patch' ? write.patch : edit === 'delete' ? undefined : edit?.patch;
  if (write.method === 'patch' && write.resourceVersion !== live.metadata.resourceVersion) throw new Error('conflict');
  if (!patch) return;
  const resourceVersion = String(Number(live.metadata.resourceVersion) + 1);
  const changed = mergePatch(live, { ...patch, metadata: { resourceVersion } }) as KubeObject;
  cluster.objects.set(keyOf(step.object), changed);
  const started = step.object.kind === 'Deployment';
  if (started) cluster.etcdTrusts = secretText(cluster.objects.get(keyOf(secretRef(SERVER))), TLS_KEYS.ca) ?? '';
  reload(cluster, { started });
}
