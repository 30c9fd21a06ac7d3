import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { type Finding, runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../../src/mesh/objects/kube-object.ts';
import { readSnapshot } from '../../src/snapshot/read-snapshot.ts';
import { rememberReads } from '../../src/snapshot/remember-reads.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { issued } from '../support/fault-parts.ts';
import { found } from '../support/sandbox-mesh.ts';

/**
 * A check that saw nothing is not green: what it finds wrong does not become well by something else that is lost. Whatever can be wrong
 * with an object of a cluster is tried, alone, and then with whatever of that object, or which other one, can be lost beside it: where a
 * check found something by itself, it still does, or is skipped. That finds each check that takes what it is about from elsewhere than
 * where it looks for it.
 */
let mesh: ConnectedMesh;
/** Both clusters, with other objects in mesh-1. */
let clustersWith: (...changes: readonly Change[]) => Promise<ClusterSnapshot[]>;
let objects: ReadonlyMap<string, KubeObject>;
let stranger: Record<'ca' | 'certificate' | 'privateKey', string>;

/** Edits the objects of mesh-1, by their keys. */
type Change = (objects: Map<string, KubeObject>) => void;
type Changes = Readonly<Record<string, Change>>;

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 });
  const options = { namespace: 'kube-system', purpose: 'connect' as const, access: true };
  const [one, two] = ['mesh-1', 'mesh-2'].map((context) => rememberReads(mesh.sandbox.client(context)));
  const client = found(one, 'mesh-1');
  ({ objects } = await readSnapshot(client, options));
  const other = await readSnapshot(found(two, 'mesh-2'), options);
  clustersWith = async (...changes) => {
    const changed = new Map(structuredClone([...objects]));
    for (const change of changes) change(changed);
    const get: typeof client.get = async (ref, more) =>
      objects.has(keyOf(ref)) ? changed.get(keyOf(ref)) : client.get(ref, more);
    return [await readSnapshot({ ...client, get }, options), other];
  };
  stranger = await issued(clientSpec('remote-mesh-9'), mesh.two);
});

afterAll(() => mesh.sandbox.close());

const PEERS = ['cilium-clustermesh', 'cilium-kvstoremesh'];
const CERTIFICATES = ['server', 'admin', 'local', 'remote'].map((role) => `clustermesh-apiserver-${role}-cert`);
const OBJECTS = [
  'Deployment/kube-system/clustermesh-apiserver',
  'Service/kube-system/clustermesh-apiserver',
  'ConfigMap/kube-system/clustermesh-remote-users',
  ...[...PEERS, ...CERTIFICATES, 'cilium-ca'].map((name) => `Secret/kube-system/${name}`),
];

const set =
  (key: string, name: string, text: string | undefined): Change =>
  (map) => {
    const data = map.get(key)?.data as Record<string, string> | undefined;
    if (data?.[name] === undefined) return;
    if (text === undefined) delete data[name];
    else data[name] = key.startsWith('Secret/') ? Buffer.from(text).toString('base64') : text;
  };

type Pod = { containers: { name: string }[]; volumes: { name: string }[] };

const podWithout =
  (key: string, ...names: string[]): Change =>
  (map) => {
    const spec = map.get(key)?.spec as { template: { spec: Pod } } | undefined;
    if (!spec) return;
    const pod = spec.template.spec;
    pod.containers = pod.containers.filter(({ name }) => !names.includes(name));
    pod.volumes = pod.volumes.filter(({ name }) => !names.includes(name));
  };

const service =
  (key: string, fields: object): Change =>
  (map) =>
    Object.assign((map.get(key)?.spec as object | undefined) ?? {}, fields);

/** What may be lost of an object, or become garbage. */
function lossesOf(key: string): Changes {
  const names = Object.keys((objects.get(key)?.data as object | undefined) ?? {});
  const keys = names.flatMap((name): [string, Change][] => [
    [`without ${name}`, set(key, name, undefined)],
    [`with garbage for ${name}`, set(key, name, 'garbage')],
  ]);
  const containers = ['etcd', 'apiserver', 'kvstoremesh'].map((name): [string, Change] => [
    `without the container ${name}`,
    podWithout(key, name),
  ]);
  return {
    ...Object.fromEntries(keys),
    ...(key.startsWith('Deployment/') ? Object.fromEntries(containers) : {}),
    ...(key.startsWith('Service/') ? { 'that is an alias': service(key, { type: 'ExternalName' }) } : {}),
  };
}

/** What else may be wrong with it. */
function mistakesIn(key: string): Changes {
  if (key.endsWith('/cilium-kvstoremesh')) {
    return {
      "with another cluster's certificate": (map) => {
        set(key, 'mesh-2.etcd-client.crt', stranger.certificate)(map);
        set(key, 'mesh-2.etcd-client.key', stranger.privateKey)(map);
      },
      "with another certificate's key": set(key, 'mesh-2.etcd-client.key', stranger.privateKey),
    };
  }
  if (key.startsWith('Deployment/')) {
    return { 'with KVStoreMesh switched off': podWithout(key, 'kvstoremesh', 'kvstoremesh-secrets') };
  }
  if (!key.startsWith('Service/')) return {};
  return {
    'with another selector': service(key, { selector: { app: 'shop' } }),
    'with another port': service(key, { ports: [{ port: 2380, targetPort: 2379 }] }),
    'with another target port': service(key, { ports: [{ port: 2379, targetPort: 80 }] }),
  };
}

const gone =
  (key: string): Change =>
  (map) =>
    map.delete(key);

/** What a check says of an object that may be gone, and then has nothing to say: what is left is judged for itself. */
const SPARED: readonly [place: RegExp, mistake: RegExp, loss: RegExp][] = [
  // No peer goes by the certificate for those of the same CA in this mesh: that it is gone, `tls-present` says.
  [/^tls-(chain|key) /, /clustermesh-apiserver-remote-cert/, /tls\.crt$|remote-cert$/],
  // A peering file has the right address, whoever is to dial by it.
  [/^peers-endpoint /, /KVStoreMesh switched off/, /Deployment/],
];

/** Which checks say what of which cluster. */
function judged(clusters: readonly ClusterSnapshot[]): Record<'bad' | 'passed', Set<string>> {
  const findings = runChecks(MESH_CHECKS, { clusters, observed: new Map(), now: new Date() });
  const contexts = clusters.map(({ context }) => context);
  const placesOf = ({ id, cluster, args }: Finding) =>
    [cluster ?? args.contexts ?? contexts].flat().map((context) => `${id} of ${context}`);
  const those = (...severities: string[]) =>
    new Set(findings.filter(({ severity }) => severities.includes(severity)).flatMap(placesOf));
  return { bad: those('fail', 'warn'), passed: those('pass') };
}

describe('what is wrong does not become well by what is lost', () => {
  it('of a mesh in which nothing is', async () => {
    expect([...OBJECTS].filter((key) => !objects.has(key))).toEqual([]);
    expect([...judged(await clustersWith()).bad]).toEqual([]);
  });

  it.each(OBJECTS)('%s', { timeout: 300_000 }, async (key) => {
    const own = lossesOf(key);
    const beside: Changes = {
      ...own,
      ...Object.fromEntries(OBJECTS.map((other) => [`beside no ${other}`, gone(other)])),
    };
    const mistakes = Object.entries({ ...own, ...mistakesIn(key) });
    let found = 0;
    const wrong: string[] = [];
    for (const [mistake, make] of mistakes) {
      const { bad } = judged(await clustersWith(make));
      found += bad.size;
      if (bad.size === 0) continue;
      for (const [loss, lose] of Object.entries(beside)) {
        const { passed } = judged(await clustersWith(make, lose));
        const isSpared = (one: string) =>
          SPARED.some(([place, ...more]) => place.test(one) && more[0].test(`${key} ${mistake}`) && more[1].test(loss));
        const green = [...bad].filter((place) => passed.has(place) && !isSpared(place));
        wrong.push(...green.map((place) => `${place}: ${mistake}, ${loss}`));
      }
    }
    expect(wrong).toEqual([]);
    expect(found).toBeGreaterThan(0);
  });
});
