import { describe, expect, it } from 'vitest';
import { accessRefs } from '../../src/mesh/apiserver/access.ts';
import type { TlsFiles } from '../../src/mesh/certificates/certificate.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { describeFault, type Fault, type FaultsInput } from '../../src/mesh/faults/fault.ts';
import { mendOf } from '../../src/mesh/faults/fault-advice.ts';
import { faultsOf } from '../../src/mesh/faults/faults-of.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { keyOf } from '../../src/mesh/objects/kube-object.ts';
import { configMapRef } from '../../src/mesh/objects/names.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { cachedPeerFile, remotePeerFile, remoteUsersFile } from '../../src/mesh/peers/file/peer-config.ts';
import { expectedPeers, knownPeers } from '../../src/mesh/peers/peers.ts';
import { tlsSecretFacts } from '../../src/pki/read.ts';
import {
  apiserverDeployment,
  caFacts,
  certificateFacts,
  NOW,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const SERVER = 'clustermesh-apiserver-server-cert';
const OWN_CERTIFICATES = ['server', 'admin', 'local', 'remote'].map((one) => `clustermesh-apiserver-${one}-cert`);
const GARBAGE = 'endpoints: [';

const authority = (key: string) => certificateFacts({ publicKeySha256: key, isCa: true });

/** @param ca the key of the CA that signed it, and is with it */
function tlsOf(ca: string, more: Partial<TlsFiles> = {}, commonName = 'remote'): TlsFiles {
  return {
    certificate: certificateFacts({ commonName }),
    privateKey: 'matches',
    ca: authority(ca),
    signedByCa: true,
    authorities: [authority(ca)],
    ...more,
  };
}

const object = (kind: string, name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'kube-system' },
  data,
});
const secret = (name: string, texts: Record<string, string>) =>
  object('Secret', name, Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encodeText(text)])));

interface Setup {
  id?: number;
  peer?: string;
  /** Undefined: the Secret is not there. */
  agents?: Record<string, string> | undefined;
  replicas?: Record<string, string> | undefined;
  users?: string | undefined;
  tls?: Record<string, TlsFiles | undefined>;
  deployment?: KubeObject;
  /** Of the clustermesh-apiserver; false: there is none. */
  service?: Record<string, unknown> | false;
  snapshot?: Partial<ClusterSnapshot>;
}

/** mesh-1, enabled and connected to mesh-2, but for what is said otherwise. */
function clusterOf(setup: Setup = {}): ClusterSnapshot {
  const { id = 1, peer = `mesh-${3 - id}`, deployment = apiserverDeployment() } = setup;
  const own = `mesh-${id}`;
  const file = remotePeerFile(peer, { addresses: ['203.0.113.7:2379'] }, `${peer}.`);
  const certificates = Object.fromEntries(
    ['-ca.crt', '.crt', '.key'].map((suffix) => [`${peer}.etcd-client${suffix}`, 'a file']),
  );
  const { agents, replicas, users } = {
    agents: { [peer]: cachedPeerFile('kube-system') },
    replicas: { [peer]: file, ...certificates },
    users: remoteUsersFile([{ name: `remote-${peer}`, role: 'remote' }]),
    ...setup,
  };
  const tls = {
    ...Object.fromEntries(OWN_CERTIFICATES.map((name) => [name, tlsOf(`ca-${own}`)])),
    [`cilium-kvstoremesh/${peer}`]: tlsOf(`ca-${peer}`, {}, `remote-${own}`),
    ...setup.tls,
  };
  const presented = tls[`cilium-kvstoremesh/${peer}`];
  const certificate = presented && tlsSecretFacts(presented);
  return snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': own, 'cluster-id': String(id) },
    live: [
      deployment,
      ...(setup.service === false ? [] : [serviceObject({ ports: [{ port: 2379 }], ...setup.service })]),
      ...(agents ? [secret('cilium-clustermesh', agents)] : []),
      ...(replicas ? [secret('cilium-kvstoremesh', replicas)] : []),
      ...(users === undefined ? [] : [object('ConfigMap', 'clustermesh-remote-users', { 'users.yaml': users })]),
    ],
    remoteUsers: users === undefined ? undefined : [{ name: `remote-${peer}`, role: 'remote' }],
    peerCertificates: new Map(certificate ? [[peer, certificate]] : []),
    tlsFiles: new Map(Object.entries(tls).flatMap(([name, files]) => (files ? [[name, files] as const] : []))),
    ...setup.snapshot,
  });
}

const faults = (setup: Setup = {}, input: Partial<FaultsInput> = {}) =>
  faultsOf(clusterOf(setup), { now: NOW, ...input });
const withStatus = (status: object): KubeObject => ({
  ...apiserverDeployment(),
  status: { observedGeneration: 1, ...status },
});
const markedAs = (mark: string): KubeObject => {
  const deployment = apiserverDeployment();
  const { template } = deployment.spec as { template: KubeObject };
  const metadata = { ...template.metadata, annotations: { 'meshctl.io/cluster': mark } };
  return { ...deployment, spec: { ...(deployment.spec as object), template: { ...template, metadata } } };
};
const ids = (found: readonly Fault[]) => found.map(({ id, component }) => `${component} ${id}`);
const RESIZED = 'max-connected-clusters-running';
const ofSize = (id: number, size: string) => ({
  'cluster-name': `mesh-${id}`,
  'cluster-id': String(id),
  'max-connected-clusters': size,
});
const expired = { certificate: certificateFacts({ notAfter: new Date('2026-05-01') }) };
const file = remotePeerFile('mesh-2', { addresses: ['203.0.113.7:2379'] }, 'mesh-2.');
const withFile = (text: string) => ({ replicas: { 'mesh-2': text, 'mesh-2.etcd-client.crt': 'a file' } });

const FOREIGN_CA = { ca: caFacts('ca-else'), tlsSecrets: new Map([[SERVER, tlsFacts('ca-one', {})]]) };

describe('what would not come back', () => {
  it('is nothing where all is well, alone or with the peer read', () => {
    expect(faults()).toEqual([]);
    expect(faults({}, { others: [clusterOf({ id: 2 })] })).toEqual([]);
  });

  it.each<[string, Setup, string[]]>([
    ['a peering file that is no YAML', withFile(GARBAGE), ['kvstoremesh peering-file-unreadable']],
    ['a peering file that is no mapping', withFile('garbage'), ['kvstoremesh peering-file-unreadable']],
    ['one without endpoints', withFile('endpoints: []'), ['kvstoremesh peering-file-unreadable']],
    [
      'one that Cilium passes over',
      withFile('{"endpoints" : ["https://a:1"]}'),
      ['kvstoremesh peering-file-unreadable'],
    ],
    ['garbage for the agents', { agents: { 'mesh-2': ': :' } }, ['agent peering-file-unreadable']],
    ['no file for KVStoreMesh', { replicas: {} }, ['kvstoremesh peering-file-missing']],
    ['no file for the agents', { agents: {} }, ['agent peering-file-missing']],
    ['no Secret of KVStoreMesh', { replicas: undefined }, ['kvstoremesh peering-secret-missing']],
    ['no Service of the clustermesh-apiserver', { service: false }, ['apiserver service-missing']],
    ['a Service that selects others', { service: { selector: { app: 'x' } } }, ['apiserver service-selector']],
    ['a Service that selects nothing', { service: { selector: undefined } }, ['apiserver service-selector']],
    ['an ExternalName', { service: { type: 'ExternalName', selector: undefined } }, ['apiserver service-type']],
    ['a headless Service', { service: { clusterIP: 'None', ports: [{ port: 80 }] } }, ['apiserver service-type']],
    [
      'a Service that leads to another port',
      { service: { ports: [{ port: 2379, targetPort: 9999 }] } },
      ['apiserver service-target-port'],
    ],
    [
      'a Service with another port',
      { service: { ports: [{ port: 2380, targetPort: 2379 }] } },
      ['apiserver service-port'],
    ],
    [
      'a file for the cache that leads elsewhere',
      { agents: { 'mesh-2': cachedPeerFile('kube-system').replace(':2379', ':2380') } },
      ['agent peering-file-no-cache'],
    ],
    [
      'a file for the cache of another namespace',
      { agents: { 'mesh-2': cachedPeerFile('cilium') } },
      ['agent peering-file-no-cache'],
    ],
    [
      'a file that dials without TLS',
      {
        replicas: {
          'mesh-2': remotePeerFile('mesh-2', { addresses: ['203.0.113.7:2379'] }, 'mesh-2.').replace('https:', 'http:'),
        },
      },
      ['kvstoremesh peering-file-unreadable'],
    ],
    ['no Secret of the agents', { agents: undefined }, ['agent peering-secret-missing']],
    [
      'only a certificate that is left',
      { agents: {}, replicas: { 'mesh-2.etcd-client.crt': 'a file' } },
      ['kvstoremesh peering-file-missing', 'agent peering-file-missing'],
    ],
    [
      'files for a cache that is off',
      { deployment: apiserverDeployment({ kvstoremesh: false }) },
      ['agent peering-file-no-cache'],
    ],
    ['no certificate', { tls: { 'cilium-kvstoremesh/mesh-2': undefined } }, ['kvstoremesh peer-certificate-missing']],
    [
      'a certificate that is none',
      { tls: { 'cilium-kvstoremesh/mesh-2': tlsOf('ca-mesh-2', { certificate: 'unreadable' }) } },
      ['kvstoremesh peer-certificate-unreadable'],
    ],
    [
      'no private key',
      { tls: { 'cilium-kvstoremesh/mesh-2': tlsOf('ca-mesh-2', { privateKey: 'missing' }) } },
      ['kvstoremesh peer-certificate-missing'],
    ],
    [
      'the key of another certificate',
      { tls: { 'cilium-kvstoremesh/mesh-2': tlsOf('ca-mesh-2', { privateKey: 'other' }) } },
      ['kvstoremesh peer-certificate-key'],
    ],
    [
      'an expired certificate',
      { tls: { 'cilium-kvstoremesh/mesh-2': tlsOf('ca-mesh-2', expired) } },
      ['kvstoremesh peer-certificate-expired'],
    ],
    [
      'a CA of the peer that is none',
      { tls: { 'cilium-kvstoremesh/mesh-2': tlsOf('ca-mesh-2', { ca: 'unreadable' }) } },
      ['kvstoremesh peer-certificate-unreadable'],
    ],
    ...['etcd-client.crt', 'etcd-client.key', 'etcd-client-ca.crt'].flatMap((name): [string, Setup, string[]][] => {
      const misspelt = (text: string) => text.replace(`${name}\n`, `${name.toUpperCase()}\n`);
      const certificates = {
        'mesh-2.etcd-client.crt': 'a',
        'mesh-2.etcd-client.key': 'a',
        'mesh-2.etcd-client-ca.crt': 'a',
      };
      const common = remotePeerFile('mesh-2', { addresses: ['203.0.113.7:2379'] }, 'common-');
      return [
        [
          `a file of KVStoreMesh that misspells ${name}`,
          { replicas: { 'mesh-2': misspelt(file), ...certificates } },
          ['kvstoremesh peer-certificate-missing'],
        ],
        [
          `a file of KVStoreMesh that misspells common ${name}`,
          { replicas: { 'mesh-2': misspelt(common) } },
          ['kvstoremesh peer-certificate-missing'],
        ],
        [
          `a file of agents for the cache that misspells ${name}`,
          { agents: { 'mesh-2': misspelt(cachedPeerFile('kube-system')) } },
          ['agent peer-certificate-missing'],
        ],
        [
          `a file of agents that misspells ${name}`,
          {
            agents: { 'mesh-2': misspelt(file), ...certificates },
            deployment: apiserverDeployment({ kvstoremesh: false }),
            tls: { 'cilium-clustermesh/mesh-2': tlsOf('ca-mesh-2') },
          },
          ['agent peer-certificate-missing'],
        ],
      ];
    }),
    [
      'files that are mounted elsewhere',
      { replicas: { 'mesh-2': file.replaceAll('/var/lib/cilium/clustermesh/', '/etc/elsewhere/') } },
      [],
    ],
    ['no server certificate', { tls: { [SERVER]: undefined } }, ['apiserver certificate-missing']],
    [
      'an empty server certificate',
      { tls: { [SERVER]: tlsOf('ca-mesh-1', { certificate: 'missing' }) } },
      ['apiserver certificate-missing'],
    ],
    [
      'an expired server certificate',
      { tls: { [SERVER]: tlsOf('ca-mesh-1', expired) } },
      ['apiserver certificate-expired'],
    ],
    [
      'a server certificate for clients',
      { tls: { [SERVER]: tlsOf('ca-mesh-1', { certificate: certificateFacts({ usages: ['client'] }) }) } },
      ['apiserver certificate-usage'],
    ],
    [
      'a client certificate for servers',
      {
        tls: {
          'clustermesh-apiserver-admin-cert': tlsOf('ca-mesh-1', {
            certificate: certificateFacts({ usages: ['server'] }),
          }),
        },
      },
      ['apiserver certificate-usage'],
    ],
    [
      "a client certificate that the cluster's etcd does not accept",
      { tls: { 'clustermesh-apiserver-local-cert': tlsOf('ca-old') } },
      ['apiserver certificate-issuer'],
    ],
    [
      'a server certificate from a different CA than all the others: one fault',
      { tls: { [SERVER]: tlsOf('ca-else') } },
      ['apiserver certificate-issuer'],
    ],
    ['no ConfigMap of users', { users: undefined }, ['apiserver users-missing']],
    ['users that are no YAML', { users: 'users: [' }, ['apiserver users-unreadable']],
    ['users that are no list', { users: 'users: nobody' }, ['apiserver users-unreadable']],
    [
      'an entry that is no user',
      { users: 'users:\n- name: remote-mesh-2\n  role: remote\n- foo\n' },
      ['apiserver users-unreadable'],
    ],
    [
      'no replica',
      { deployment: { ...apiserverDeployment(), spec: { ...(apiserverDeployment().spec as object), replicas: 0 } } },
      ['apiserver apiserver-scaled-down'],
    ],
    [
      'no replica that is ready',
      { deployment: { ...apiserverDeployment(), status: {} } },
      ['apiserver apiserver-not-ready'],
    ],
    ['a key of another CA', { snapshot: { ca: { ...caFacts('ca-one'), keyMatches: false } } }, ['apiserver ca-key']],
    ['a CA that signed nothing', { snapshot: FOREIGN_CA }, ['apiserver ca-foreign']],
    [
      'a rollout that is stuck',
      { deployment: withStatus({ replicas: 2, updatedReplicas: 1, availableReplicas: 1 }) },
      ['apiserver apiserver-rollout'],
    ],
    ['nothing that was asked for its rights', { snapshot: { missingAccess: [] } }, []],
    ['no rights', { snapshot: { missingAccess: accessRefs('kube-system') } }, ['apiserver access-missing']],
    ['a mark of another name', { deployment: markedAs('west/1') }, ['apiserver identity-outdated']],
    ['a mark of another id', { deployment: markedAs('mesh-1/7') }, ['apiserver identity-outdated']],
    [
      'a local certificate of another cluster',
      {
        snapshot: {
          tlsSecrets: new Map([
            ['clustermesh-apiserver-local-cert', tlsFacts('ca-mesh-1', { commonName: 'local-mesh-9' })],
          ]),
        },
      },
      ['apiserver certificate-usage'],
    ],
    [
      'its own local certificate',
      {
        snapshot: {
          tlsSecrets: new Map([
            ['clustermesh-apiserver-local-cert', tlsFacts('ca-mesh-1', { commonName: 'local-mesh-1' })],
          ]),
        },
      },
      [],
    ],
    ['its own mark', { deployment: markedAs('mesh-1/1') }, []],
    ['another size than it runs with', { snapshot: { ciliumConfig: ofSize(1, '511') } }, [`apiserver ${RESIZED}`]],
    ['no CA', { snapshot: { ca: undefined } }, ['apiserver ca-missing']],
  ])('%s', (_what, setup, expected) => {
    expect(ids(faults(setup))).toEqual(expected);
  });

  it.each([
    [
      'a quota while the former ones serve',
      1,
      'exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3',
      /^its clustermesh-apiserver is not fully rolled out: its pods are refused: .*exceeded quota: small/,
      'Have that quota raised, or make room in it: kubectl --context context-1 -n kube-system describe resourcequota/small',
    ],
    [
      'a policy, so that there are none',
      0,
      'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
      /^the only replica of its clustermesh-apiserver is not ready: its pods are refused: .*violates PodSecurity/,
      'kubectl --context context-1 -n kube-system describe replicasets -l k8s-app=clustermesh-apiserver',
    ],
  ])('tells that new pods are refused by %s, which no pod tells', (_what, availableReplicas, why, says, hint) => {
    const message = `pods "clustermesh-apiserver-1" is forbidden: ${why}`;
    const conditions = [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }];
    const status = { replicas: availableReplicas, updatedReplicas: 0, availableReplicas, conditions };
    const deployment = withStatus(status);
    expect(faults({ deployment })).toMatchObject([{ says: expect.stringMatching(says), hint }]);
  });

  it('is mended by whoever made the certificate', () => {
    const made = secret(SERVER, {});
    made.metadata.annotations = { 'meta.helm.sh/release-name': 'cilium' };
    const { objects } = clusterOf();
    const snapshot = { objects: new Map([...objects, [`Secret/kube-system/${SERVER}`, made]]) };
    const [fault] = faults({ tls: { [SERVER]: tlsOf('ca-mesh-1', expired) }, snapshot });
    expect(fault?.id).toBe('certificate-expired');
    expect(mendOf(fault as Fault, new Map())).toMatch(/enable --context context-1 --via-helm$/);
  });

  it('of a user that a tool has taken out is mended there, for good', () => {
    const { objects, ...two } = clusterOf({ id: 2, users: 'users: []\n', snapshot: { remoteUsers: [] } });
    const key = 'ConfigMap/kube-system/clustermesh-remote-users';
    const list = structuredClone(objects.get(key)) as KubeObject;
    list.metadata.annotations = { 'meta.helm.sh/release-name': 'cilium' };
    const snapshot = { ...two, objects: new Map([...objects, [key, list]]) };
    const [fault] = faultsOf(snapshot, { now: NOW, others: [clusterOf()] }).filter(
      ({ id }) => id === 'peer-user-missing',
    );
    expect(fault?.says).toContain('; Helm release cilium makes the list, and leaves it out at its next sync');
    expect(mendOf(fault as Fault, new Map())).toBe(
      'let it in until then: meshctl clustermesh connect --context context-2 --destination-context context-1; or for good, ' +
        'its values must name mesh-1 in clustermesh.config.clusters: meshctl clustermesh helm-values --context context-2',
    );
  });

  it('is an empty key, and not one of another CA', () => {
    const ca = { ...caFacts('ca-one'), keyMatches: false, keyIsEmpty: true as const };
    expect(faults({ snapshot: { ca } }).map(({ says }) => says)).toEqual([
      'the private key of the CA is empty: nothing can be renewed',
    ]);
  });

  it('is a peer of another size, unless one of the two was changed since', () => {
    const sized = (id: number, size: string, runs = size): ClusterSnapshot => {
      const text = JSON.stringify(apiserverDeployment()).replace('clusters=255', `clusters=${runs}`);
      return clusterOf({ id, deployment: JSON.parse(text), snapshot: { ciliumConfig: ofSize(id, size) } });
    };
    const found = (one: ClusterSnapshot, two: ClusterSnapshot) => faultsOf(one, { now: NOW, others: [two] });
    const [fault] = found(sized(1, '255'), sized(2, '511'));
    expect(fault).toMatchObject({ id: 'max-connected-clusters-equal', peer: 'mesh-2', outage: true });
    expect(found(sized(1, '255'), sized(2, '511', '255'))).toEqual([]);
    const [changed, ...more] = found(sized(2, '511', '255'), sized(1, '255'));
    expect(more).toEqual([]);
    expect(changed?.hint).toBe(
      `kubectl --context context-2 -n kube-system patch configmap cilium-config --type merge --patch '{"data":{"max-connected-clusters":"255"}}'`,
    );
  });

  it('says where it is, in words without what is in it', () => {
    const [found] = faults(withFile('endpoints: [ "https://user:password@host'));
    expect(found).toMatchObject({ context: 'context-1', peer: 'mesh-2', key: 'mesh-2', outage: true });
    expect(describeFault(found as Fault)).toBe(
      'the peering file cannot be read: it is not valid YAML (Secret cilium-kvstoremesh, key mesh-2)',
    );
  });

  it('is not what only cannot be renewed, nor what no file names', () => {
    const outages = (setup: Setup) => faults(setup).map(({ id, outage }) => [id, outage]);
    expect(outages({ snapshot: { ca: undefined } })).toEqual([['ca-missing', false]]);
    expect(outages({ snapshot: FOREIGN_CA })).toEqual([['ca-foreign', false]]);
    const remote = 'clustermesh-apiserver-remote-cert';
    expect(outages({ tls: { [remote]: undefined } })).toEqual([['certificate-missing', false]]);
    const common = { ...withFile(file.replaceAll('/mesh-2.', '/common-')), tls: { [remote]: undefined } };
    expect(outages(common)).toEqual([['certificate-missing', true]]);
  });

  it('is not known of what may not be read', () => {
    const unread = new Set(['Secret/kube-system/cilium-kvstoremesh', `Secret/kube-system/${SERVER}`]);
    const setup = { replicas: undefined, tls: { [SERVER]: undefined }, snapshot: { unread } };
    expect(faults(setup)).toEqual([]);
    expect(faults({ snapshot: { tlsFiles: undefined } })).toEqual([]);
  });

  it('is nothing of the apiserver where Cluster Mesh is not enabled', () => {
    expect(faultsOf(snapshotOf({ tlsFiles: new Map(), ca: undefined }), { now: NOW })).toEqual([]);
  });
});

describe('what would not come back, with the peer read', () => {
  it('of a file that names a CA by another name than the certificate, is said of the key that it names', () => {
    const file = remotePeerFile('mesh-2', { addresses: ['203.0.113.7:2379'] }, 'mesh-2.');
    const named = file.replace('/mesh-2.etcd-client-ca.crt', '/theirs.etcd-client-ca.crt');
    const replicas = { 'mesh-2': named, 'mesh-2.etcd-client.crt': 'a', 'mesh-2.etcd-client.key': 'a' };
    const keyOfFault = (ca: string, trust: TlsFiles) => {
      const files = { ...replicas, 'theirs.etcd-client-ca.crt': 'a' };
      const tls = { 'cilium-kvstoremesh/theirs': trust };
      const others = [
        clusterOf({ id: 2, tls: { [SERVER]: tlsOf(ca, { authorities: [ca, 'ca-mesh-2'].map(authority) }) } }),
      ];
      return faults({ replicas: files, tls }, { others }).map(({ id, key }) => [id, key]);
    };
    expect(named).not.toBe(file);
    expect(keyOfFault('ca-new', tlsOf('ca-mesh-2'))).toEqual([['peer-ca', 'theirs.etcd-client-ca.crt']]);
    expect(keyOfFault('ca-mesh-2', tlsOf('ca-mesh-2', { ca: 'unreadable' }))).toEqual([
      ['peer-certificate-unreadable', 'theirs.etcd-client-ca.crt'],
    ]);
  });

  it.each<[string, Setup, Setup, string[]]>([
    [
      'a certificate from a CA that the peer does not accept',
      {
        tls: { 'cilium-kvstoremesh/mesh-2': tlsOf('ca-old', { authorities: ['ca-old', 'ca-mesh-2'].map(authority) }) },
      },
      {},
      ['kvstoremesh peer-certificate-issuer'],
    ],
    [
      'a server certificate of the peer from a different CA than is trusted here',
      {},
      { tls: { [SERVER]: tlsOf('ca-new', { authorities: ['ca-new', 'ca-mesh-2'].map(authority) }) } },
      ['kvstoremesh peer-ca'],
    ],
    [
      'a peer that has replaced its CA: one fault, although neither accepts the other',
      {},
      { tls: Object.fromEntries(OWN_CERTIFICATES.map((name) => [name, tlsOf('ca-new')])) },
      ['kvstoremesh peer-ca'],
    ],
    [
      'a server certificate of the peer that goes with nothing of the peer: a fault of the peer alone',
      {},
      { tls: { [SERVER]: tlsOf('ca-else') } },
      [],
    ],
    [
      'a peer that logs in as a user that there is not',
      { snapshot: { remoteUsers: [{ name: 'remote-mesh-3', role: 'remote' }] } },
      {},
      ['apiserver peer-user-missing'],
    ],
    [
      'a user with another role',
      { snapshot: { remoteUsers: [{ name: 'remote-mesh-2', role: 'root' }] } },
      {},
      ['apiserver peer-user-missing'],
    ],
  ])('%s', (_what, setup, other, expected) => {
    const others = [clusterOf({ id: 2, ...other })];
    expect(ids(faults(setup, { others }))).toEqual(expected);
    expect(faults(setup).filter(({ outage }) => outage)).toEqual([]);
  });
});

it('what is wrong on the way to a peer that has parted with a cluster has both ways out, not only the one that undoes that', () => {
  const authorities = ['ca-old', 'ca-mesh-2'].map(authority);
  const setup = { tls: { 'cilium-kvstoremesh/mesh-2': tlsOf('ca-old', { authorities }, 'remote-mesh-1') } };
  const hints = (other: Setup) => faults(setup, { others: [clusterOf({ id: 2, ...other })] }).map(({ hint }) => hint);
  expect(hints({})).toEqual(['meshctl clustermesh connect --context context-1 --destination-context context-2']);
  const parted = { agents: undefined, replicas: undefined, snapshot: { remoteUsers: [] } };
  expect(hints(parted)).toEqual([expect.stringMatching(/^connect them again: .*; or disconnect that side too: /)]);
});

describe('whose certificate a cluster logs in with', () => {
  const logsInAs = (user: string, name = 'mesh-1', more: Setup = {}) =>
    ids(
      faults({
        ...more,
        tls: { 'cilium-kvstoremesh/mesh-2': tlsOf('ca-mesh-2', {}, user) },
        snapshot: { ciliumConfig: { ...ofSize(1, '255'), 'cluster-name': name } },
      }),
    ).filter((id) => id.startsWith('kvstoremesh'));

  it.each<[string, string, string?, Setup?]>([
    ['its own', 'remote-mesh-1'],
    ['what all share', 'remote'],
    ['a name of another tool', 'mesh-of-ours'],
    ["the peer's own, handed out", 'remote-mesh-2'],
    ['one from before a rename that is under way', 'remote-west', 'mesh-1', { deployment: markedAs('west/1') }],
    ['one of a cluster whose name is not known', 'remote-mesh-3', 'default'],
  ])('is no other one for %s', (_what, user, name, more) => {
    expect(logsInAs(user, name, more)).toEqual([]);
  });

  it('is told where it is that of another cluster, with what mends it', () => {
    expect(logsInAs('remote-mesh-3')).toEqual(['kvstoremesh peer-certificate-foreign']);
    const [fault] = faults({ tls: { 'cilium-kvstoremesh/mesh-2': tlsOf('ca-mesh-2', {}, 'remote-mesh-3') } });
    expect([describeFault(fault as Fault), mendOf(fault as Fault, new Map([['mesh-2', 'c2']]))]).toEqual([
      'the client certificate is that of mesh-3: this cluster logs in to mesh-2 as remote-mesh-3, and would be shut out together with it ' +
        '(Secret cilium-kvstoremesh, key mesh-2.etcd-client.crt)',
      'meshctl clustermesh connect --context context-1 --destination-context c2',
    ]);
  });
});

describe('the peers of a cluster', () => {
  it('are those that any Secret names, readable or not, and by a certificate alone', () => {
    const agents = { 'mesh-2': GARBAGE, 'mesh-1': 'endpoints:' };
    const replicas = { 'mesh-3': 'garbage', 'mesh-4.etcd-client.crt': 'none', 'no name': 'garbage', Odd: 'endpoints:' };
    const users = ['mesh-3', 'mesh-5'].map((peer) => ({ name: `remote-${peer}`, role: 'remote' }));
    const cluster = clusterOf({ agents, replicas, snapshot: { remoteUsers: users } });
    expect(expectedPeers(cluster)).toEqual(['Odd', 'mesh-2', 'mesh-3', 'mesh-4']);
    expect(knownPeers(cluster)).toEqual(expect.arrayContaining(['mesh-2', 'mesh-3', 'mesh-4', 'mesh-5']));
  });

  it.each<[string, string, Partial<Record<'certificate' | 'user' | 'choice' | 'other' | 'unread', boolean>>, boolean]>([
    ['a word', 'bar', {}, false],
    ['nothing', '', {}, false],
    ['a document that is none', '{"servers": []}', {}, false],
    ['a file in a spelling that Cilium passes over', '{"endpoints" : ["https://a:1"]}', {}, true],
    ['a word beside a certificate', 'bar', { certificate: true }, true],
    ['nothing beside a certificate', '', { certificate: true }, true],
    ['a word with a user', 'bar', { user: true }, true],
    ['a word with a choice', 'bar', { choice: true }, true],
    ["a word beside the agents' file", 'bar', { other: true }, true],
    ['a word where users may not be read', 'bar', { unread: true }, true],
  ])(
    'have a key with %s among them only where something else tells of it',
    (_what, text, { certificate, user, choice, other, unread }, isPeer) => {
      const annotations = choice ? { 'meshctl.io/mode.foo': 'unicast' } : {};
      const agents = secret('cilium-clustermesh', other ? { foo: cachedPeerFile('kube-system') } : {});
      const cluster = snapshotOf({
        ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1' },
        live: [
          { ...agents, metadata: { ...agents.metadata, annotations } },
          secret('cilium-kvstoremesh', { foo: text, ...(certificate ? { 'foo.etcd-client.crt': 'a file' } : {}) }),
        ],
        remoteUsers: user ? [{ name: 'remote-foo', role: 'remote' }] : [],
        unread: new Set(unread ? [keyOf(configMapRef('kube-system', 'clustermesh-remote-users'))] : []),
      });
      expect([expectedPeers(cluster), knownPeers(cluster)]).toEqual(isPeer ? [['foo'], ['foo']] : [[], []]);
    },
  );
});
