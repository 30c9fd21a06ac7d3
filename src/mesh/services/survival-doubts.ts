import { firstOf } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import type { ClusterServices, ServiceFacts } from './service-facts.ts';
import { serviceKey } from './services.ts';
import type { ServiceSurvival } from './survival.ts';
import { nearestFirst, servedByKubeProxy, whence } from './unbalanced.ts';

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
