import { type ClusterService, countBackends, stateOf } from './backends.ts';
import { isExternalName } from './own-cluster.ts';
import type { ClusterServices, Use } from './service-facts.ts';
import { joinServices, type MeshService, serviceKey } from './services.ts';
import { endsByItself, requestsFor, type SilentLoss, type StraySender, silentLoss, untoldSenders } from './silence.ts';
import { afterRestart, selectionInputs, unconnectedFor, unservedPorts, usesIn } from './uses.ts';

/** What a cluster's pods are left with when another cluster is gone. */
export interface Survivor {
  cluster: string;
  uses: readonly Use[];
  /** Ports for which none of these serves, of {@link unservedPorts}; absent where there is none. */
  unserved?: readonly string[] | undefined;
  /** Where it is not served: clusters whose backends would serve it, were it connected to them; absent where there is none. */
  unconnected?: readonly string[] | undefined;
}

/** A Service without one of the clusters. What is said of `silent` apart, it is drained: its backends go, and its clustermesh-apiserver tells the others. */
export interface ClusterLoss {
  /** The cluster that is gone. */
  without: string;
  /** Every other cluster that has the Service still has a ready backend to use, for each of its ports, and none goes on for good with those that go. */
  survives: boolean;
  /** Those that do not hear that it is drained, and keep sending requests there; absent where there is none. */
  untold?: readonly StraySender[] | undefined;
  /** The other clusters that have the Service. */
  served: readonly Survivor[];
  /** Backends that new connections from the other clusters can go to, each counted once. */
  left: number;
  /** If it falls silent instead. */
  silent: SilentLoss;
}

export interface ServiceSurvival {
  namespace: string;
  name: string;
  /** Backends that new connections can go to now, from anywhere, each counted once. */
  now: number;
  /** Clusters whose pods it does not serve now, or not at each of its ports, whoever goes; absent where there is none. */
  failing?: readonly string[];
  /** Those of them that are not connected to clusters whose backends would serve them, with these; absent where there is none. */
  unconnected?: Readonly<Record<string, readonly string[]>>;
  /**
   * Clusters that have it and where it is not global, though it is in another one: their pods use own backends only, and when these fail
   * no other cluster serves them. Absent where there is none.
   */
  notGlobalIn?: readonly string[];
  losses: readonly ClusterLoss[];
}

/**
 * Who would serve each Service if a cluster went, with its backends and its pods; and what comes of it if nobody is told. On a connection that is at risk nobody can
 * count when clusters go.
 * @param without only this cluster; absent: each in turn
 */
export function survivalOf(clusters: readonly ClusterServices[], without?: string): ServiceSurvival[] {
  const lost = without === undefined ? clusters.map(({ cluster }) => cluster) : [without];
  return joinServices(clusters).map((service) => {
    const present = survivors(clusters, service);
    const requests = requestsFor(clusters, selectionInputs(clusters, serviceKey(service)));
    const failing = present.filter((survivor) => !isServed(survivor));
    const apart = notGlobalIn(service);
    const unconnected = failing.flatMap(({ cluster, unconnected: to }) => (to ? [[cluster, to] as const] : []));
    return {
      namespace: service.namespace,
      name: service.name,
      now: capacity(present),
      ...(failing.length > 0 ? { failing: failing.map(({ cluster }) => cluster) } : {}),
      ...(unconnected.length > 0 ? { unconnected: Object.fromEntries(unconnected) } : {}),
      ...(apart.length > 0 ? { notGlobalIn: apart } : {}),
      losses: lost.map((cluster) => {
        const served = survivors(clusters.filter((other) => other.cluster !== cluster).map(afterRestart), service);
        const isLeft = served.length > 0 && served.every(isServed);
        const silent = silentLoss(requests, cluster, isLeft);
        const untold = untoldSenders(requests, cluster);
        return {
          without: cluster,
          survives: isLeft && endsByItself(untold),
          ...(untold.length > 0 ? { untold } : {}),
          served,
          left: capacity(served),
          silent,
        };
      }),
    };
  });
}

/** The clusters where a Service that is global in others is not; none where it is global nowhere. */
function notGlobalIn({ clusters }: MeshService): string[] {
  const defined = clusters.flatMap(({ cluster, definition }) =>
    definition && !isExternalName(definition) ? [{ cluster, definition }] : [],
  );
  const apart = defined.filter(({ definition }) => !definition.global);
  return apart.length < defined.length ? apart.map(({ cluster }) => cluster) : [];
}

/** Whether a cluster's pods are served, at each port. */
export function isServed({ uses, unserved }: Survivor): boolean {
  return uses.length > 0 && !unserved;
}

function survivors(clusters: readonly ClusterServices[], service: MeshService): Survivor[] {
  const key = serviceKey(service);
  const inputs = selectionInputs(clusters, key);
  return clusters
    .filter(({ services }) => services.has(key))
    .map((of) => {
      const headless = inputs.find((one) => one.headless && !one.mirrored && one.cluster === of.cluster);
      if (headless) return { cluster: of.cluster, uses: usesByName(headless) };
      const uses = usesIn(of, inputs).filter((use) => !isUnanswered(of, use.cluster));
      const unserved = unservedPorts(of, inputs);
      const unconnected = uses.length === 0 || unserved.length > 0 ? unconnectedFor(of, inputs) : [];
      return {
        cluster: of.cluster,
        uses,
        ...(uses.length > 0 && unserved.length > 0 ? { unserved } : {}),
        ...(unconnected.length > 0 ? { unconnected } : {}),
      };
    });
}

function isUnanswered({ broken = [] }: ClusterServices, cluster: string): boolean {
  return broken.some(({ peer, unanswered }) => peer === cluster && unanswered === true);
}

/** What DNS gives for a headless Service: its own cluster's ready backends, and no other cluster's. */
function usesByName(service: ClusterService): Use[] {
  const { cluster, backends } = service;
  const ready = countBackends(backends.filter((backend) => stateOf(service, backend) === 'active'));
  return ready > 0 ? [{ cluster, backends: ready }] : [];
}

/** Each user of a cluster's backends uses the same ones, so the largest count is all of them. */
function capacity(served: readonly Survivor[]): number {
  const most = new Map<string, number>();
  for (const { cluster, backends } of served.flatMap(({ uses }) => uses)) {
    most.set(cluster, Math.max(most.get(cluster) ?? 0, backends));
  }
  return [...most.values()].reduce((sum, count) => sum + count, 0);
}
