import { canonicalIp } from '../../cilium/cidr.ts';
import { isOnDelete, restartAgents } from '../../cilium/restart-agents.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { type KubeObject, keyOf, type ObjectRef } from '../../objects/kube-object.ts';
import { agentDaemonSetRef, apiserverDeploymentRef, meshHostname } from '../../objects/names.ts';
import { templateSpec } from '../../objects/workload.ts';
import type { Change, Edit, Step } from '../../plan/plan.ts';

/** Entry of a pod's hostAliases; Kubernetes keeps one for each IP. */
interface HostAlias {
  ip: string;
  hostnames?: string[];
}

/** What a peer's host name means in the pods that dial it. */
export interface AliasOrder {
  peer: string;
  ips: readonly string[];
}

/** Names the peers whose aliases meshctl wrote, so that disconnect leaves those of others alone. */
const ANNOTATION = 'meshctl.io/host-aliases';

/** Where host names are resolved for dialling peers: KVStoreMesh's Deployment, or without it the agents. */
function dialerRef({ namespace }: Pick<ClusterSnapshot, 'namespace'>, kvstoremesh: boolean): ObjectRef {
  return kvstoremesh ? apiserverDeploymentRef(namespace) : agentDaemonSetRef(namespace);
}

/** Where a workload says what a peer's host name means, as in changes. */
export function aliasPath(peer: string): string {
  return `spec.template.spec.hostAliases[${meshHostname(peer)}]`;
}

/** The step that gives the dialling pods aliases for peers; the pods are replaced by it. */
export function addAliasesStep(snapshot: ClusterSnapshot, kvstoremesh: boolean, orders: readonly AliasOrder[]): Step[] {
  if (orders.length === 0) return [];
  const object = dialerRef(snapshot, kvstoremesh);
  const before = snapshot.objects.get(keyOf(object));
  const edit = (live: KubeObject) => editAliases(live, orders, 'add');
  const base = { cluster: snapshot.context, object, before };
  const peers = orders.map(({ peer }) => peer).join(', ');
  if (!before || !edit(before)) return [{ ...base, action: 'keep', changes: [], why: `its pods know ${peers}` }];
  const restarts = kvstoremesh ? 'restarts the clustermesh-apiserver' : whatRestarts(snapshot);
  return [
    {
      ...base,
      action: 'update',
      changes: orders.flatMap(({ peer, ips }): Change[] => {
        const former = ipsOf(before, meshHostname(peer));
        if ([...former].sort().join() === [...ips].sort().join()) return [];
        const from = former.length > 0 ? { from: former.join(', ') } : {};
        return [{ path: aliasPath(peer), ...from, to: ips.join(', ') }];
      }),
      why: `Cilium before 1.20 has no aliases in peering files; ${restarts}`,
      write: {
        method: 'edit',
        edit,
        rollback: (former, live) => editAliases(live, formerOrders(former, orders), 'restore'),
      },
    },
  ];
}

/** The steps that take back aliases which meshctl wrote for peers, wherever they are. */
export function removeAliasesSteps(snapshot: ClusterSnapshot, peers: readonly string[]): Step[] {
  return [true, false].flatMap((kvstoremesh): Step[] => {
    const object = dialerRef(snapshot, kvstoremesh);
    const before = snapshot.objects.get(keyOf(object));
    const ours = peers.filter((peer) => before && annotatedPeers(before).includes(peer));
    if (!before || ours.length === 0) return [];
    const orders = ours.map((peer) => ({ peer, ips: [] }));
    return [
      {
        cluster: snapshot.context,
        object,
        before,
        action: 'update',
        changes: ours.map((peer) => ({
          path: aliasPath(peer),
          from: ipsOf(before, meshHostname(peer)).join(', '),
        })),
        why: `nothing dials ${ours.join(', ')} any more; ${kvstoremesh ? 'restarts the clustermesh-apiserver' : whatRestarts(snapshot)}`,
        write: {
          method: 'edit',
          edit: (live) => editAliases(live, orders, 'remove'),
          rollback: (former, live) => editAliases(live, formerOrders(former, orders), 'add'),
        },
      },
    ];
  });
}

/**
 * The addresses that a peer's host name means in the pods that may dial it.
 * @param diallers only in these; default: in both
 */
export function aliasedIps(
  cluster: Pick<ClusterSnapshot, 'objects' | 'namespace'>,
  peer: string,
  diallers?: 'agents' | 'kvstoremesh',
): string[] {
  const workloads = [true, false]
    .filter((kvstoremesh) => diallers === undefined || (diallers === 'kvstoremesh') === kvstoremesh)
    .flatMap((kvstoremesh) => cluster.objects.get(keyOf(dialerRef(cluster, kvstoremesh))) ?? []);
  return [...new Set(workloads.flatMap((workload) => ipsOf(workload, meshHostname(peer))))];
}

function formerOrders(former: KubeObject, orders: readonly AliasOrder[]): AliasOrder[] {
  return orders.map(({ peer }) => ({ peer, ips: ipsOf(former, meshHostname(peer)) }));
}

/** `restore` adds what had addresses before, and removes what had none. */
function editAliases(
  live: KubeObject,
  orders: readonly AliasOrder[],
  how: 'add' | 'remove' | 'restore',
): Edit | undefined {
  const present = aliasesOf(live);
  const wanted = orders.reduce((list, { peer, ips }) => withAlias(list, meshHostname(peer), ips), present);
  const named = annotatedPeers(live);
  const gone = orders.filter(({ ips }) => how !== 'add' && ips.length === 0).map(({ peer }) => peer);
  const added = orders.filter(({ ips }) => ips.length > 0).map(({ peer }) => peer);
  const peers = [...new Set([...named.filter((peer) => !gone.includes(peer)), ...added])].sort();
  if (JSON.stringify(wanted) === JSON.stringify(present) && peers.join() === named.join()) return undefined;
  return {
    patch: {
      metadata: { annotations: { [ANNOTATION]: peers.length > 0 ? peers.join(',') : null } },
      spec: { template: { spec: { hostAliases: wanted.length > 0 ? wanted : null } } },
    },
  };
}

/** The list in which a host name means exactly these addresses; everything else in it stays. */
function withAlias(list: readonly HostAlias[], hostname: string, ips: readonly string[]): HostAlias[] {
  const same = [...ips].sort().join() === ipsIn(list, hostname).sort().join();
  if (same) return [...list];
  const entries = new Map<string, string[]>();
  for (const { ip, hostnames = [] } of list) {
    const left = hostnames.filter((name) => name !== hostname);
    if (left.length > 0) entries.set(ip, left);
  }
  for (const ip of ips) entries.set(ip, [...(entries.get(ip) ?? []), hostname]);
  return [...entries].map(([ip, hostnames]) => ({ ip, hostnames }));
}

function ipsOf(workload: KubeObject, hostname: string): string[] {
  return ipsIn(aliasesOf(workload), hostname);
}

function ipsIn(list: readonly HostAlias[], hostname: string): string[] {
  return list.filter(({ hostnames }) => hostnames?.includes(hostname)).map(({ ip }) => canonicalIp(ip));
}

function aliasesOf(workload: KubeObject): HostAlias[] {
  return templateSpec(workload).hostAliases ?? [];
}

function annotatedPeers({ metadata }: KubeObject): string[] {
  return metadata.annotations?.[ANNOTATION]?.split(',') ?? [];
}

/** What a change of the agents' template does: with `OnDelete` nothing, until somebody deletes their pods. */
function whatRestarts(snapshot: ClusterSnapshot): string {
  return isOnDelete(snapshot)
    ? `its DaemonSet is on OnDelete, so agents know it only once they are restarted: ${restartAgents(snapshot)}`
    : 'restarts all agents';
}
