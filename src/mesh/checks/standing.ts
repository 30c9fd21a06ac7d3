import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeFault, type FaultId } from '../faults/fault.ts';
import { mendOf } from '../faults/fault-advice.ts';
import { faultsOf } from '../faults/faults-of.ts';
import { unreadyAmong } from '../faults/unready.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { peersOfOthers } from '../peers/peer-choices.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import { remembered, rememberedOf } from '../remembered.ts';
import type { Finding } from './shared/check.ts';
import { findingOf, type MeshCheck } from './shared/mesh-input.ts';
import { standingSubject } from './standing-subjects.ts';

/** Faults that no other check finds, with what is so where there is none. */
const TITLES = {
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
} as const satisfies Readonly<Partial<Record<FaultId, string>>>;

/** Each of these checks asks for its own faults of the same clusters, beside the same others, at the same moment. */
const faultsBeside = rememberedOf((others: readonly ClusterSnapshot[]) =>
  rememberedOf((cluster: ClusterSnapshot) =>
    remembered((ms: number) => faultsOf(cluster, { now: new Date(ms), others }), 1),
  ),
);

/** What is wrong with a server alone is the same beside whomever. */
const NOBODY: readonly ClusterSnapshot[] = [];

/** What runs keeps what it has mounted; a check for each thing that would not come back after a restart. */
export const STANDING_CHECKS: readonly MeshCheck[] = (Object.keys(TITLES) as (keyof typeof TITLES)[]).map((id) => {
  const isOfPeers = id.startsWith('peer');
  const faultsIn = (cluster: ClusterSnapshot, all: readonly ClusterSnapshot[], now: Date) =>
    faultsBeside(isOfPeers ? all : NOBODY)(cluster)(now.getTime());
  return {
    id,
    category: 'standing',
    title: TITLES[id],
    ...(isOfPeers ? {} : { needs: ['apiserver-deployed'] }),
    subject: (cluster, { clusters, now }) => standingSubject(id, cluster, faultsIn(cluster, clusters, now)),
    run: ({ clusters, now }, all) =>
      clusters.flatMap((cluster) => {
        const found = faultsIn(cluster, all, now).filter((fault) => fault.id === id);
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
