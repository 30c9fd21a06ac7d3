import { missingAccess } from '../apiserver/access.ts';
import { makesRemoteUsers, runsKvstoremesh } from '../apiserver/deployment.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../connect/direction.ts';
import { certificatesNamed } from '../faults/dial-faults.ts';
import { describeFault, type Fault, type FaultId } from '../faults/fault.ts';
import { keyOf, type ObjectRef } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  apiserverDeploymentRef,
  apiserverServiceRef,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_CERT_SECRET,
  REMOTE_USERS_CONFIGMAP,
  secretRef,
} from '../objects/names.ts';
import { secretTexts } from '../objects/secret-data.ts';
import { dialsOwnCache } from '../peers/file/peer-file.ts';
import { expectedPeers } from '../peers/peers.ts';
import type { Subject } from './shared/check.ts';

/**
 * Faults of one peer's files, each of which keeps those after it from being looked for (`dial-faults.ts`): of a Secret that is gone
 * nobody knows what its files say.
 */
const OF_FILES = [
  'peering-secret-missing',
  'peering-file-missing',
  'peering-file-unreadable',
  'peering-file-no-cache',
  'peer-certificate-missing',
  'peer-certificate-key',
  'peer-certificate-expired',
  'peer-certificate-unreadable',
  'peer-ca',
  'peer-certificate-issuer',
  'peer-certificate-foreign',
] as const satisfies readonly FaultId[];

/** The same of what is served (`misfits.ts`, `user-faults.ts`). */
const BEFORE: Readonly<Partial<Record<FaultId, readonly FaultId[]>>> = {
  'service-selector': ['service-type'],
  'service-port': ['service-type'],
  'service-target-port': ['service-type', 'container-missing'],
  'users-unreadable': ['users-missing'],
};

/** The faults that keep a fault from being looked for. */
function hiding(id: FaultId): readonly FaultId[] {
  const files: readonly FaultId[] = OF_FILES;
  return BEFORE[id] ?? files.slice(0, Math.max(0, files.indexOf(id)));
}

/**
 * What a standing check looks at in a cluster. That a peer is to be dialled is no sight of the files by which it is: whatever of these
 * could not be looked at is unseen.
 * @param id of the fault that it looks for
 * @param found all faults of the cluster
 */
export function standingSubject(id: FaultId, cluster: ClusterSnapshot, found: readonly Fault[]): Subject {
  const own = ownSubject(id, cluster);
  const unread = refsOf(id, cluster).filter((ref) => cluster.unread?.has(keyOf(ref)));
  const refused = unread.map(({ kind, name }) => `${kind} ${name} may not be read`);
  const hidden = found.filter((fault) => hiding(id).includes(fault.id)).map(saysHidden);
  const unseen = [...new Set([...refused, ...hidden, ...unseenBeside(id, cluster)])];
  const isBlind = own.isBlind || refused.length > 0;
  return { ...own, otherwise: refused.length > 0 ? refused.join('; ') : own.otherwise, unseen, isBlind };
}

function saysHidden(fault: Fault): string {
  const { peer, peers = peer === undefined ? [] : [peer] } = fault;
  return `${peers.length > 0 ? `${peers.join(', ')}: ` : ''}${describeFault(fault)}`;
}

/** The objects in which a fault would be. */
function refsOf(id: FaultId, { namespace, objects }: ClusterSnapshot): ObjectRef[] {
  if (id.startsWith('peer')) {
    const secrets = [
      ...(dialsThroughKvstoremesh({ objects, namespace }) ? [KVSTOREMESH_PEERS_SECRET] : []),
      AGENT_PEERS_SECRET,
    ];
    return secrets.map((name) => secretRef(namespace, name));
  }
  if (id.startsWith('users')) return [configMapRef(namespace, REMOTE_USERS_CONFIGMAP)];
  const deployment = apiserverDeploymentRef(namespace);
  return id.startsWith('service') ? [deployment, apiserverServiceRef(namespace)] : [deployment];
}

function ownSubject(id: FaultId, cluster: ClusterSnapshot): Subject {
  if (id.startsWith('peer-certificate') && !cluster.tlsFiles)
    return { things: [], otherwise: 'certificate files were not read' };
  if (id.startsWith('peer'))
    return { things: expectedPeers(cluster), otherwise: 'it is configured to dial no cluster' };
  if (id.startsWith('users')) return theUsers(cluster);
  if (!apiserverDeployment(cluster)) return { things: [], otherwise: NO_DEPLOYMENT };
  if (id.startsWith('service')) return theService(cluster);
  if (id === 'access-missing') return theAccess(cluster);
  if (id === 'kvstoremesh-missing') return theKvstoremesh(cluster);
  return { things: ['clustermesh-apiserver'], otherwise: '' };
}

const NO_DEPLOYMENT = 'there is no Deployment clustermesh-apiserver';

function theAccess(cluster: ClusterSnapshot): Subject {
  return {
    things: missingAccess(cluster, apiserverDeployment(cluster)) ? ['access'] : [],
    otherwise: 'its ServiceAccount, ClusterRole and ClusterRoleBinding may not be read',
    isBlind: true,
  };
}

function theKvstoremesh(cluster: ClusterSnapshot): Subject {
  const runs = runsKvstoremesh(apiserverDeployment(cluster));
  return { things: runs ? ['kvstoremesh'] : [], otherwise: 'its KVStoreMesh is off' };
}

function theService(cluster: ClusterSnapshot): Subject {
  const things = apiserverService(cluster) ? ['clustermesh-apiserver'] : [];
  return { things, otherwise: 'there is no Service clustermesh-apiserver' };
}

function theUsers(cluster: ClusterSnapshot): Subject {
  return {
    things: makesRemoteUsers(apiserverDeployment(cluster)) ? ['users'] : [],
    otherwise: 'its clustermesh-apiserver makes no users of its own for peers',
  };
}

/** What peering files lead to that is in none of their Secrets, and was not seen. */
function unseenBeside(id: FaultId, cluster: ClusterSnapshot): string[] {
  if (id === 'peering-file-no-cache') {
    const { objects, namespace } = cluster;
    const texts = secretTexts(objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET))));
    const isCached = expectedPeers(cluster).some((peer) => dialsOwnCache(texts[peer] ?? '', namespace));
    return isCached && runsKvstoremesh(apiserverDeployment(cluster)) === undefined ? [NO_DEPLOYMENT] : [];
  }
  if (!id.startsWith('peer-certificate')) return [];
  const named = [...certificatesNamed(cluster)].filter((place) => !place.includes('/'));
  // By the other one agents read from their own cluster's cache: it is nobody's but the cluster's.
  const judged = id === 'peer-certificate-foreign' ? named.filter((secret) => secret === REMOTE_CERT_SECRET) : named;
  const unseen = judged.filter((secret) => {
    const certificate = cluster.tlsFiles?.get(secret)?.certificate ?? 'missing';
    return certificate === 'missing' || (certificate === 'unreadable' && id !== 'peer-certificate-missing');
  });
  return unseen.length > 0
    ? [`no certificate can be read in Secret ${unseen.join(', ')}, which peering files name`]
    : [];
}
