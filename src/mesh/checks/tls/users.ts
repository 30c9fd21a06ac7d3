import { makesRemoteUsers } from '../../apiserver/deployment.ts';
import { apiserverDeployment } from '../../apiserver/live.ts';
import { timeIn } from '../../cluster-clocks.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { meshctlCommand } from '../../command-line.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { lastChange, TAKEN_UP_WITHIN_MS } from '../../objects/last-change.ts';
import { APISERVER, configMapRef, REMOTE_USERS_CONFIGMAP } from '../../objects/names.ts';
import { restartWorkloads } from '../../objects/restart.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { type Finding, listed } from '../shared/check.ts';
import { type ClusterObservation, findingOf, type MeshCheck } from '../shared/mesh-input.ts';

/** The user without which etcd does not ask who its clients are (Cilium's pkg/kvstore/etcdinit). */
const ROOT = 'root';

/** What etcd has whatever the list says (Cilium's pkg/kvstore/etcdinit). */
const BUILT_IN = /^(root|remote|externalworkload|admin(-.*)?|local(-.*)?)$/;

/**
 * Whether etcd really has the users that the list names: the apiserver container makes them when the mounted list changes,
 * and goes on with the former ones when it cannot (Cilium's clustermesh-apiserver/clustermesh/users_mgmt.go).
 */
export const USERS_CHECKS: readonly MeshCheck[] = [
  {
    id: 'tls-users-made',
    category: 'tls',
    title: 'etcd has the users that the list names, and no others',
    observes: true,
    needs: ['apiserver-deployed'],
    subject: (cluster, { observed }) => {
      if (!makesRemoteUsers(apiserverDeployment(cluster)) || !cluster.remoteUsers) {
        return { things: [], otherwise: 'its clustermesh-apiserver makes no users of its own for peers', isIdle: true };
      }
      const { etcdUsers, etcdsUnasked = [], untold } = observed.get(cluster.context) ?? {};
      return {
        things: [...(etcdUsers?.keys() ?? [])],
        otherwise: 'no etcd of its clustermesh-apiserver told which users it has',
        isBlind: untold?.has('etcd'),
        unseen: etcdsUnasked.map((pod) => `etcd of ${pod} did not tell which users it has`),
      };
    },
    run: ({ clusters, observed, now }) =>
      clusters.flatMap((cluster) => differing(cluster, timeIn(cluster, now), observed.get(cluster.context))),
    says: ({ args }) =>
      `context "${args.context}": etcd of ${args.pod} ${args.problem} ${listed(args.users)}, ${args.but}`,
  },
];

function differing(cluster: ClusterSnapshot, now: Date, seen?: ClusterObservation): Finding[] {
  const { context, remoteUsers } = cluster;
  if (!remoteUsers || !makesRemoteUsers(apiserverDeployment(cluster))) return [];
  // It passes over a user that has the cluster's own name.
  const wanted = remoteUsers.map(({ name }) => name).filter((name) => name !== knownAs(cluster));
  // etcd lives and dies with its pod: a new one has the users of the list, and no others.
  const restart = restartWorkloads(cluster, [`deployment/${APISERVER}`]);
  // Who was just disconnected is let in until the pod has the new list, which passes by itself.
  const changed = lastChange(cluster.objects.get(keyOf(configMapRef(cluster.namespace, REMOTE_USERS_CONFIGMAP))));
  const isFresh = changed !== undefined && Math.abs(now.getTime() - changed) <= TAKEN_UP_WITHIN_MS;
  const look = meshctlCommand('clustermesh check', { context }, ['--category', 'tls']);
  const outdated = isFresh
    ? `Wait until the kubelet has brought the pod the new list, two minutes at most, then look again: ${look}`
    : restart;
  // A new one would let nobody in where the list cannot be read.
  const cause = { foundBy: 'users-unreadable', foundIn: context };
  return [...(seen?.etcdUsers ?? [])].flatMap(([pod, present]): Finding[] => {
    const missing = wanted.filter((name) => !present.includes(name));
    const strangers = present.filter((name) => !wanted.includes(name) && !BUILT_IN.test(name));
    const about = (users: string[], problem: string, but: string, severity: 'fail' | 'warn', hint = restart) =>
      users.length > 0
        ? [findingOf('tls-users-made', severity, context, { pod, users, problem, but, ...cause }, hint)]
        : [];
    // Made before it serves, with the roles: an etcd without it has lost its data since, and asks for no user any more.
    const lost = [ROOT].filter((name) => !present.includes(name));
    return [
      ...about(
        lost,
        'has no user',
        'so it has lost its data, and lets whoever has a certificate of its CA read and write all',
        'fail',
      ),
      ...about(missing, 'has no user', `which is in ConfigMap ${REMOTE_USERS_CONFIGMAP}`, 'fail'),
      ...about(strangers, 'still lets in', `which is not in ConfigMap ${REMOTE_USERS_CONFIGMAP}`, 'warn', outdated),
    ];
  });
}
