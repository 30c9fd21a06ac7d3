import { beforeAll, describe, expect, it } from 'vitest';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { faultsOf } from '../../src/mesh/faults/faults-of.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { unfinishedRotation } from '../../src/mesh/rotation/unfinished-rotation.ts';
import type { Authority } from '../../src/pki/authority.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { generateEcKey } from '../../src/pki/certificate.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { readTlsFacts } from '../../src/snapshot/tls-facts.ts';
import { apiserverDeployment, loadBalancerService, secretObject, snapshotOf } from '../support/snapshots.ts';

const NOW = new Date();
const CA_OF_PEER = 'mesh-2.etcd-client-ca.crt';

/** CAs of equal names, as Helm makes them: a of mesh-1, b of mesh-2, c of nobody. */
type Name = 'a' | 'b' | 'c';
let authorities: Record<Name, Authority>;
const leaves = new Map<string, Promise<{ certificate: string; privateKey: string }>>();

beforeAll(async () => {
  const made = await Promise.all(['a', 'b', 'c'].map(() => createAuthority({ key: generateEcKey() })));
  authorities = Object.fromEntries(
    (['a', 'b', 'c'] as const).map((name, at) => [name, made[at]]),
  ) as typeof authorities;
});

function leaf(by: Name, commonName: string, usages: ('server' | 'client')[] = ['client']) {
  const key = `${by} ${commonName}`;
  const spec = {
    commonName,
    usages,
    dnsNames: ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'],
    ipAddresses: [],
  };
  const made = leaves.get(key) ?? issueCertificate(authorities[by], spec, { key: generateEcKey() });
  leaves.set(key, made);
  return made;
}

const bundle = (names: readonly Name[]) => names.map((name) => authorities[name].certificate).join('\n');

async function clusterOf(
  id: 1 | 2,
  ca: Name,
  trusted: readonly Name[],
  dialling: Record<string, string>,
): Promise<ClusterSnapshot> {
  const own = `mesh-${id}`;
  const users = ['server', `admin-${own}`, `local-${own}`, 'remote'];
  const secrets = await Promise.all(
    users.map(async (user) => {
      const [role = ''] = user.split('-');
      const made = await leaf(ca, user, role === 'server' ? ['server', 'client'] : ['client']);
      const texts = { 'tls.crt': made.certificate, 'tls.key': made.privateKey, 'ca.crt': bundle(trusted) };
      return secretObject(`clustermesh-apiserver-${role}-cert`, texts);
    }),
  );
  const peer = `mesh-${3 - id}`;
  const dials = secretObject('cilium-kvstoremesh', dialling);
  const agents = secretObject('cilium-clustermesh', dialling[peer] ? { [peer]: cachedPeerFile('kube-system') } : {});
  const live: KubeObject[] = [...secrets, dials, agents, apiserverDeployment(), loadBalancerService(`203.0.113.${id}`)];
  return snapshotOf({
    context: own,
    ciliumConfig: { 'cluster-name': own, 'cluster-id': String(id) },
    live,
    ca: undefined,
    ...readTlsFacts(live, dials),
  });
}

/**
 * What status and check say of how mesh-1 dials mesh-2.
 * @param by who signed its client certificate
 * @param beside the CAs in a file of the peer's; undefined: the peering file names the common one
 * @param of the CA of mesh-2
 */
async function told(
  by: Name,
  beside: Name[] | undefined,
  { of = 'b', trusts = [of], known = ['a'] }: Peer,
  isRead = true,
) {
  const { certificate, privateKey } = await leaf(by, 'remote-mesh-1');
  const file = remotePeerFile('mesh-2', { addresses: ['203.0.113.2:2379'] }, 'mesh-2.');
  const dialling = {
    'mesh-2': beside ? file : file.replace(CA_OF_PEER, 'common-etcd-client-ca.crt'),
    'mesh-2.etcd-client.crt': certificate,
    'mesh-2.etcd-client.key': privateKey,
    ...(beside ? { [CA_OF_PEER]: bundle(beside) } : {}),
  };
  const one = await clusterOf(1, 'a', known, dialling);
  const clusters = [one, ...(isRead ? [await clusterOf(2, of, trusts, {})] : [])];
  const faults = faultsOf(one, { now: NOW, others: clusters.slice(1) });
  const checks = MESH_CHECKS.filter(({ id }) => id === 'peers-certificate').map((one) => ({ ...one, saidBy: [] }));
  const [found] = runChecks(checks, { clusters, now: NOW, observed: new Map() }).filter(
    ({ cluster = 'mesh-1' }) => cluster === 'mesh-1',
  );
  const said = faults.flatMap(({ id, peer }) => (peer === 'mesh-2' && id.startsWith('peer-c') ? [id] : []));
  return [said.join(' '), found?.severity];
}

interface Peer {
  of?: Name;
  trusts?: Name[];
  /** The CAs that mesh-1 itself has in its files. */
  known?: Name[];
}

const REFUSED = ['peer-certificate-issuer', 'fail'];
const SOUND = ['', 'pass'];

describe('a client certificate for a peer is judged by the CAs that the peer accepts', () => {
  it.each<[string, Name, Name[] | undefined, Peer, string[]]>([
    ['of the peer, with its CA beside', 'b', ['b'], {}, SOUND],
    ['of one CA, with the common one (the chart, without tls.caCert)', 'a', undefined, { of: 'a' }, SOUND],
    ['of a stranger, with the common one', 'c', undefined, { of: 'a' }, REFUSED],
    ['of its own, with the CA of the peer, which accepts both', 'a', ['b'], { trusts: ['b', 'a'] }, SOUND],
    ['of its own, with the CA of the peer, which accepts its own alone', 'a', ['b'], {}, REFUSED],
    ['of a third one that only the peer knows', 'c', ['b'], { trusts: ['b', 'c'] }, SOUND],
    ['of a stranger, with the CA of the peer', 'c', ['b'], {}, REFUSED],
    ['of a former CA of the peer, which accepts its present one alone', 'c', ['b', 'c'], {}, REFUSED],
  ])('%s', async (_which, by, beside, peer, expected) => {
    expect(await told(by, beside, peer)).toEqual(expected);
  });

  it.each<[string, Name, Name[] | undefined, string[]]>([
    ['from the CA beside it', 'b', ['b'], SOUND],
    ['from the common CA that the file names', 'a', undefined, SOUND],
    ['from its own cluster’s CA', 'a', ['b'], ['', 'skip']],
    ['from a CA that it has nowhere', 'c', ['b'], ['', 'fail']],
  ])('of a peer that was not read: %s', async (_which, by, beside, expected) => {
    expect(await told(by, beside, {}, false)).toEqual(expected);
  });

  it('is no sign of a rotation where it is of its own cluster, whose CAs include the peer’s', async () => {
    const { certificate, privateKey } = await leaf('a', 'remote-mesh-1');
    const file = remotePeerFile('mesh-2', { addresses: ['203.0.113.2:2379'] }, 'mesh-2.');
    const files = { 'mesh-2': file, 'mesh-2.etcd-client.crt': certificate, 'mesh-2.etcd-client.key': privateKey };
    const one = await clusterOf(1, 'a', ['a', 'b'], { ...files, [CA_OF_PEER]: bundle(['b']) });
    const two = await clusterOf(2, 'b', ['b', 'a'], {});
    expect([one, two].map((cluster) => unfinishedRotation(withCa(cluster), [withCa(one), withCa(two)]))).toEqual([
      undefined,
      undefined,
    ]);
  });
});

/** With Secret cilium-ca as its server certificate tells of it. */
function withCa(cluster: ClusterSnapshot): ClusterSnapshot {
  const certificate = cluster.tlsSecrets.get('clustermesh-apiserver-server-cert')?.ca;
  if (!certificate) throw new Error('there is no server certificate');
  const name = cluster.context === 'mesh-1' ? 'a' : 'b';
  return {
    ...cluster,
    ca: { certificate, certificatePem: authorities[name].certificate, hasKey: true, keyMatches: true },
  };
}
