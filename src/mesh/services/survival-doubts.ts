import { firstOf } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import type { ClusterServices, ServiceFacts } from './service-facts.ts';
import { serviceKey } from './services.ts';
import type { ServiceSurvival } from './survival.ts';
import { servedByKubeProxy, whence } from './unbalanced.ts';

/**
 * What has to be so that Services survive as they are said to, beside what could not be seen: clauses that go on with "if". That pods of
 * a cluster are served by others says nothing of those whom kube-proxy serves there.
 */
export function survivalDoubts(clusters: readonly ClusterServices[], services: readonly ServiceSurvival[]): string[] {
  const doubts = services.flatMap((service) => {
    const key = serviceKey(service);
    return clusters.flatMap((of) => {
      const facts = of.services.get(key);
      const clients = facts ? servedByKubeProxy(of, facts) : [];
      const isBorrowing = service.losses.some(({ survives, served }) =>
        served.some(({ cluster, uses }) => survives && cluster === of.cluster && !hasReady(facts) && uses.length > 0),
      );
      return clients.length > 0 && isBorrowing ? [{ of, key }] : [];
    });
  });
  return [...groupBy(doubts, ({ of }) => of)].map(([{ cluster, kubeProxyServes = [] }, alike]) => {
    const keys = firstOf(alike.map(({ key }) => key));
    return `no one asks for ${keys} in ${cluster} ${whence(kubeProxyServes)}, which kube-proxy serves by own backends only: none is ready there`;
  });
}

function hasReady(facts: ServiceFacts | undefined): boolean {
  return facts?.backends.some((backend) => backend.ready && !backend.maintenance) ?? false;
}
