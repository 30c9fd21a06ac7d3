import { missingAccess } from '../apiserver/access.ts';
import { makesRemoteUsers, runsKvstoremesh } from '../apiserver/deployment.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeFault, type FaultId } from '../faults/fault.ts';
import { mendOf } from '../faults/fault-advice.ts';
import { faultsOf } from '../faults/faults-of.ts';
import { unreadyAmong } from '../faults/unready.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { expectedPeers } from '../peers/peers.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import { remembered, rememberedOf } from '../remembered.ts';
import type { Finding, Subject } from './shared/check.ts';
import { findingOf, type MeshCheck } from './shared/mesh-input.ts';

/** Faults that no other check finds, with what is so where there is none. */
const TITLES: Readonly<Partial<Record<FaultId, string>>> = {
  'peering-secret-missing': 'the Secrets with the peering files exist',
  'peering-file-missing': 'agents and KVStoreMesh have a file for each peer',
  'peering-file-unreadable': 'peering files can be read',
  'peering-file-no-cache': 'agents read from a KVStoreMesh cache that is there',
  'peer-certificate-missing': 'the certificate files that peering files name exist',
  'peer-certificate-unreadable': 'the certificate files that peering files name can be read',
  'peer-certificate-foreign': 'clusters log in to their peers with certificates of their own',
  'container-missing': 'the clustermesh-apiserver has all its containers',
  'kvstoremesh-missing': 'KVStoreMesh has its container where it is switched on',
  'service-type': 'the Service is of a type that leads to the clustermesh-apiserver',
  'service-selector': 'the Service leads to the pods of the clustermesh-apiserver',
  'service-port': 'the Service has the port at which agents read from KVStoreMesh',
  'service-target-port': 'the Service leads to the port on which etcd listens',
  'access-missing': 'the clustermesh-apiserver has its account and its rights',
  'users-missing': 'the list of etcd users for peers exists',
  'users-unreadable': 'the list of etcd users for peers can be read',
};

/** Each of these checks asks for its own faults of the same clusters, beside the same others, at the same moment. */
const faultsBeside = rememberedOf((others: readonly ClusterSnapshot[]) =>
  rememberedOf((cluster: ClusterSnapshot) =>
    remembered((ms: number) => faultsOf(cluster, { now: new Date(ms), others }), 1),
  ),
);

/** What is wrong with a server alone is the same beside whomever. */
const NOBODY: readonly ClusterSnapshot[] = [];

/** What runs keeps what it has mounted; a check for each thing that would not come back after a restart. */
export const STANDING_CHECKS: readonly MeshCheck[] = Object.entries(TITLES).map(([id, title]): MeshCheck => {
  const isOfPeers = id.startsWith('peer');
  return {
    id,
    category: 'standing',
    title,
    ...(isOfPeers ? {} : { needs: ['apiserver-deployed'] }),
    subject: subjectOf(id),
    run: ({ clusters, now }, all) =>
      clusters.flatMap((cluster) => {
        const found = faultsBeside(isOfPeers ? all : NOBODY)(cluster)(now.getTime()).filter((fault) => fault.id === id);
        if (found.length === 0) return [];
        const mesh = [cluster, ...withoutNamesakes(cluster, all)];
        const contexts = new Map(mesh.map((one) => [knownAs(one), one.context]));
        const unready = unreadyAmong(mesh);
        return found.map((fault): Finding => {
          const { peer, peers = peer === undefined ? [] : [peer], object, key = '' } = fault;
          const args = { peers, object, key, reason: describeFault(fault) };
          const mend = forOtherOwners(mendOf(fault, contexts, unready), cluster.context, peersOfOthers(cluster));
          return findingOf(id, 'fail', cluster.context, args, mend);
        });
      }),
    says: ({ args }) => {
      const about = Array.isArray(args.peers) && args.peers.length > 0 ? `, peer ${args.peers.join(', ')}` : '';
      return `context "${args.context}"${about}: ${args.reason}`;
    },
  };
});

function subjectOf(id: string): (cluster: ClusterSnapshot) => Subject {
  if (id.startsWith('peer-certificate')) return theCertificates;
  if (id.startsWith('peer')) return thePeers;
  if (id.startsWith('service')) return theService;
  if (id === 'access-missing') return theAccess;
  if (id === 'kvstoremesh-missing') return theKvstoremesh;
  return id === 'container-missing' ? theDeployment : theUsers;
}

function theDeployment(cluster: ClusterSnapshot): Subject {
  const things = apiserverDeployment(cluster) ? ['clustermesh-apiserver'] : [];
  return { things, otherwise: 'there is no Deployment clustermesh-apiserver' };
}

function theAccess(cluster: ClusterSnapshot): Subject {
  const deployment = apiserverDeployment(cluster);
  if (!deployment) return theDeployment(cluster);
  return {
    things: missingAccess(cluster, deployment) ? ['access'] : [],
    otherwise: 'its ServiceAccount, ClusterRole and ClusterRoleBinding may not be read',
    isBlind: true,
  };
}

function theKvstoremesh(cluster: ClusterSnapshot): Subject {
  const runs = runsKvstoremesh(apiserverDeployment(cluster));
  return { things: runs ? ['kvstoremesh'] : [], otherwise: 'its KVStoreMesh is off' };
}

function theService(cluster: ClusterSnapshot): Subject {
  const deployment = theDeployment(cluster);
  if (deployment.things.length === 0) return deployment;
  const things = apiserverService(cluster) ? ['clustermesh-apiserver'] : [];
  return { things, otherwise: 'there is no Service clustermesh-apiserver' };
}

function thePeers(cluster: ClusterSnapshot): Subject {
  return { things: expectedPeers(cluster), otherwise: 'it is configured to dial no cluster' };
}

function theCertificates(cluster: ClusterSnapshot): Subject {
  return cluster.tlsFiles ? thePeers(cluster) : { things: [], otherwise: 'certificate files were not read' };
}

function theUsers(cluster: ClusterSnapshot): Subject {
  const deployment = apiserverDeployment(cluster);
  return {
    things: makesRemoteUsers(deployment) ? ['users'] : [],
    otherwise: 'its clustermesh-apiserver makes no users of its own for peers',
  };
}
