import { enumerated, firstOf } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import type { ClusterServices, ServiceFacts } from './service-facts.ts';
import { serviceKey, unreadPeers } from './services.ts';
import type { ServiceSurvival } from './survival.ts';
import { nearestFirst, servedByKubeProxy, whence } from './unbalanced.ts';
import { usedUnheard } from './uses.ts';

/**
 * What has to be so that Services survive as they are said to, beside what could not be seen: clauses that go on with "if". That pods of
 * a cluster are served by others says nothing of those whom kube-proxy serves there, nor of each zone where zones are kept to.
 */
export function survivalDoubts(clusters: readonly ClusterServices[], services: readonly ServiceSurvival[]): string[] {
  const survivors = services.flatMap((service) =>
    clusters.flatMap((of) => {
      const key = serviceKey(service);
      const facts = of.services.get(key);
      return facts && isServedWithout(service, of) ? [{ of, key, facts }] : [];
    }),
  );
  const borrowing = survivors.filter(({ of, facts }) => !hasReady(facts) && servedByKubeProxy(of, facts).length > 0);
  const near = survivors.filter(({ of, facts }) => nearestFirst(of, facts) !== undefined);
  return [
    ...unheardDoubts(clusters, services),
    ...[...groupBy(borrowing, ({ of }) => of)].map(
      ([{ cluster, kubeProxyServes = [] }, alike]) =>
        `no one asks for ${keysOf(alike)} in ${cluster} ${whence(kubeProxyServes)}, which kube-proxy serves by own backends only: none is ready there`,
    ),
    ...[...groupBy(near, ({ of }) => of)].map(
      ([{ cluster }, alike]) =>
        `each node of ${cluster} has backends left for ${keysOf(alike)}, which are chosen by zone or node there before affinity (enable-service-topology)`,
    ),
  ];
}

/**
 * Of peers that were not read although all clusters were asked for, as no context leads there: what is lost with them, and by them, nobody
 * knows. A clause as of {@link survivalDoubts}; none where each was read.
 */
export function unreadPeersDoubt(clusters: readonly ClusterServices[]): string[] {
  const unread = [...new Set(clusters.flatMap((of) => unreadPeers(of, clusters)))].sort();
  if (unread.length === 0) return [];
  const names = enumerated(unread);
  return [`nothing is lost without ${names}, or there, to which no context leads`];
}

/** Of a cluster that hears nothing of a peer any more nobody knows by what backends there it is served: those that were read are of now. */
function unheardDoubts(clusters: readonly ClusterServices[], services: readonly ServiceSurvival[]): string[] {
  const uses = services.flatMap((service) =>
    clusters.flatMap((of) => {
      const key = serviceKey(service);
      const facts = of.services.get(key);
      return facts ? usedUnheard(of, facts).map((peer) => ({ of, peer, key })) : [];
    }),
  );
  return [...groupBy(uses, ({ of: { cluster }, peer }) => `${cluster} ${peer}`).values()].flatMap((alike) =>
    alike.slice(0, 1).map(({ of: { cluster }, peer }) => {
      const keys = keysOf(alike);
      return `the backends of ${peer} for ${keys} are still those that ${cluster} last heard of: it hears nothing of ${peer}`;
    }),
  );
}

/** Whether a cluster is said to be served when one of the others is lost. */
function isServedWithout({ losses }: ServiceSurvival, { cluster }: ClusterServices): boolean {
  return losses.some(({ survives, served }) => survives && served.some((one) => one.cluster === cluster));
}

function keysOf(alike: readonly { key: string }[]): string {
  return firstOf(alike.map(({ key }) => key));
}

function hasReady(facts: ServiceFacts): boolean {
  return facts.backends.some((backend) => backend.ready && !backend.maintenance);
}
