import { describe, expect, it } from 'vitest';
import { helmPeers } from '../../src/mesh/enable/helm/peers.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { JoiningPeer } from '../../src/mesh/objects/source-advice.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

const DIRECTORY = '/var/lib/cilium/clustermesh';
const file = (endpoint: string, certificate: string, more = '') =>
  `endpoints:\n- ${endpoint}\ntrusted-ca-file: ${DIRECTORY}/${certificate}-ca.crt\nkey-file: ${DIRECTORY}/${certificate}.key\ncert-file: ${DIRECTORY}/${certificate}.crt\n${more}`;
const shared = (endpoint: string, more?: string) => file(endpoint, 'common-etcd-client', more);
const own = (peer: string) => file(`https://${peer}.example.com:2379`, `${peer}.etcd-client`);

interface Cluster {
  files: Readonly<Record<string, string>>;
  users?: readonly string[];
  /** Of the Secret of the agents. */
  marks?: Readonly<Record<string, string>>;
  byHelm?: boolean;
  aliases?: { ip: string; hostnames: string[] }[];
}

function peersOf(
  { files, users = [], marks = {}, byHelm = false, aliases = [] }: Cluster,
  joining: JoiningPeer[] = [],
) {
  const release = byHelm ? { 'meta.helm.sh/release-name': 'cilium' } : {};
  const secrets = ['cilium-kvstoremesh', 'cilium-clustermesh'].map((name) => {
    const secret = secretObject(name, name === 'cilium-kvstoremesh' ? files : {});
    return { ...secret, metadata: { ...secret.metadata, annotations: { ...release, ...marks } } };
  });
  const deployment: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'clustermesh-apiserver', namespace: 'kube-system' },
    spec: { template: { spec: { hostAliases: aliases } } },
  };
  const remoteUsers = users.map((peer) => ({ name: `remote-${peer}`, role: 'remote' }));
  const snapshot = snapshotOf({ live: [...secrets, deployment], remoteUsers });
  return helmPeers(snapshot, { version: { major: 1, minor: 18, patch: 12, suffix: '' } } as never, [], joining);
}

describe('peers as values of the chart', () => {
  it('has those with certificates of their own by name alone, for their users', () => {
    const peers = peersOf({ files: { 'mesh-2': own('mesh-2') }, users: ['mesh-2', 'mesh-3'] });
    expect(peers).toMatchObject({ areMade: false, clusters: [{ name: 'mesh-2' }, { name: 'mesh-3' }] });
    expect(peers.notes).toEqual([expect.stringContaining('stay as meshctl connect wrote them')]);
  });

  const joining = (name: string, ...addresses: string[]): JoiningPeer => ({ name, context: name, addresses });

  it('names those that are to be connected yet, once, by name alone', () => {
    const files = { 'mesh-2': own('mesh-2') };
    const peers = peersOf({ files, users: ['mesh-2'] }, [joining('mesh-2'), joining('mesh-3', '10.0.0.3:2379')]);
    expect(peers.clusters).toEqual([{ name: 'mesh-2' }, { name: 'mesh-3' }]);
    expect(peers.notes).toEqual([expect.stringMatching(/^mesh-2: their Secrets stay/)]);
  });

  it('has the addresses of those, where the chart makes the files; who is dialled already is dialled there', () => {
    const files = { 'mesh-2': shared('https://10.0.0.2:2379') };
    const peers = peersOf({ files }, [
      joining('mesh-2', '10.9.9.9:2379'),
      joining('mesh-3', '10.0.0.3:32379', '10.0.0.4:32379'),
      joining('mesh-4'),
    ]);
    expect(peers.clusters).toEqual([
      { name: 'mesh-2', port: 2379, ips: ['10.0.0.2'] },
      { name: 'mesh-3', port: 32379, ips: ['10.0.0.3', '10.0.0.4'] },
      { name: 'mesh-4' },
    ]);
    expect(peers.notes).toEqual([expect.stringMatching(/^mesh-4: no address is known here/)]);
  });

  it('names one whose user is lost, and lets nobody in who was chosen only to be dialled', () => {
    const files = { 'mesh-2': own('mesh-2'), 'mesh-3': own('mesh-3') };
    expect(peersOf({ files }).clusters).toEqual([{ name: 'mesh-2' }, { name: 'mesh-3' }]);
    const marks = { 'meshctl.io/mode.mesh-3': 'unicast' };
    expect(peersOf({ files, marks }).clusters).toEqual([{ name: 'mesh-2' }]);
    // Somebody has let it in since.
    expect(peersOf({ files, marks, users: ['mesh-3'] }).clusters).toHaveLength(2);
  });

  it('says who is let in where the chart cannot dial one without', () => {
    const marks = { 'meshctl.io/mode.mesh-3': 'unicast' };
    const peers = peersOf({ files: { 'mesh-3': shared('https://10.0.0.3:2379') }, marks });
    expect(peers).toMatchObject({ areMade: true, clusters: [{ name: 'mesh-3', port: 2379, ips: ['10.0.0.3'] }] });
    expect(peers.notes).toEqual([expect.stringMatching(/^mesh-3: .+let each log in here/)]);
  });

  it.each<[where: string, cluster: Omit<Cluster, 'byHelm'>, values: Record<string, unknown>]>([
    [
      'in host aliases of the pods, before 1.20',
      {
        files: { 'mesh-2': shared('https://mesh-2.mesh.cilium.io:32379') },
        aliases: [{ ip: '172.18.9.9', hostnames: ['mesh-2.mesh.cilium.io'] }],
      },
      { port: 32379, ips: ['172.18.9.9'] },
    ],
    [
      'in host aliases of the file, since 1.20',
      {
        files: {
          'mesh-2': shared(
            'https://mesh-2.mesh.cilium.io:2379',
            'cilium-host-aliases:\n- hostname: mesh-2.mesh.cilium.io\n  ips:\n  - fd00::1\n',
          ),
        },
      },
      { port: 2379, ips: ['fd00::1'] },
    ],
    ['in an endpoint', { files: { 'mesh-2': shared('https://[fd00::2]:2379') } }, { port: 2379, ips: ['fd00::2'] }],
    ['in a name of its own', { files: { 'mesh-2': own('mesh-2') } }, { port: 2379, address: 'mesh-2.example.com' }],
  ])('takes the address %s', (_where, cluster, values) => {
    expect(peersOf({ ...cluster, byHelm: true }).clusters).toEqual([{ name: 'mesh-2', ...values }]);
  });

  it('says whose key Helm needs, and whom it takes no values for', () => {
    const files = { 'mesh-2': shared('https://mesh-2.mesh.cilium.io:2379'), 'mesh-3': own('mesh-3') };
    const { clusters, notes } = peersOf({ files, users: ['only-in'], byHelm: true });
    expect(clusters).toEqual([
      { name: 'mesh-2', port: 2379 },
      { name: 'mesh-3', port: 2379, address: 'mesh-3.example.com' },
      { name: 'only-in' },
    ]);
    expect(notes).toEqual([
      expect.stringMatching(/^mesh-3: the chart keeps certificates of their own only by values/),
      expect.stringMatching(/^mesh-2, only-in: no address is known here, and Helm refuses these values/),
    ]);
  });
});
