import { type BrokenLink, isUnconnected, isUnheard } from '../status/broken-link.ts';
import type { ClusterServices } from './service-facts.ts';
import { usedOnceDialled } from './services.ts';
import { selectionInputs, usesIn } from './uses.ts';

/**
 * Clusters with those of their connections called at risk by which requests may get no answer, although agents are connected: in a
 * tunnel the nodes of a peer know only the pods of clusters that it dials and hears of (see `unanswered-requests.ts`). Only of clusters
 * that were both read, and whose agents could be asked.
 */
export function withAnswers(clusters: readonly ClusterServices[]): ClusterServices[] {
  return clusters.map((of) => {
    if (!of.broken) return of;
    const known = of.broken.map(({ peer }) => peer);
    const unanswered = clusters
      .filter((other) => of.peers?.includes(other.cluster) && !known.includes(other.cluster))
      .flatMap((other): BrokenLink[] => {
        const why = other.tunnels ? whyUnanswered(of.cluster, other) : undefined;
        return why ? [{ peer: other.cluster, state: 'at-risk', ...why }] : [];
      });
    return unanswered.length > 0 ? { ...of, broken: [...of.broken, ...unanswered] } : of;
  });
}

function whyUnanswered(
  client: string,
  { cluster, peers, broken = [] }: ClusterServices,
): Pick<BrokenLink, 'reason' | 'unanswered'> | undefined {
  if (peers?.includes(client) === false) {
    const reason = `requests that go there get no answer, as ${cluster} does not dial ${client} and sends packets through the tunnel only to pods of clusters that it dials`;
    return { reason, unanswered: true };
  }
  const back = broken.find((link) => link.peer === client && (isUnconnected(link) || isUnheard(link)));
  if (!back) return undefined;
  const lacks = isUnconnected(back) ? `is not connected to ${client}` : `hears nothing of ${client}`;
  return {
    reason: `requests that go there may get no answer, as ${cluster} ${lacks} and sends packets through the tunnel only to pods that it hears of`,
  };
}

/** Global Services of which one cluster's requests get no answer from another one, as things are. */
export interface UnansweredServices {
  /** Clusters by name. */
  from: string;
  to: string;
  /** Requests go there by now. */
  services: readonly string[];
  /** They come to go there, as when the backends of the asking cluster are gone. */
  later: readonly string[];
}

/**
 * Of which Services requests get no answer, where a cluster is known not to dial the one that asks it: nothing of a cluster of which
 * it is not known how it routes, or whom it dials.
 * @param clusters with their backends
 */
export function unansweredServices(clusters: readonly ClusterServices[]): UnansweredServices[] {
  return clusters.flatMap((client) =>
    clusters
      .filter(({ cluster, peers, tunnels }) => {
        const isDialled = client.peers?.includes(cluster) === true;
        return isDialled && tunnels === true && peers?.includes(client.cluster) === false;
      })
      .flatMap((server): UnansweredServices[] => {
        const keys = usedOnceDialled(client, server);
        const isUsed = (key: string) =>
          usesIn(client, selectionInputs(clusters, key)).some(({ cluster }) => cluster === server.cluster);
        const services = keys.filter(isUsed);
        const later = keys.filter((key) => !services.includes(key));
        return keys.length > 0 ? [{ from: client.cluster, to: server.cluster, services, later }] : [];
      }),
  );
}
