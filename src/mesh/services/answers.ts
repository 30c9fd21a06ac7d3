import type { BrokenLink } from '../status/broken-link.ts';
import type { ClusterServices } from './service-facts.ts';

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
    const reason = `requests that go there get no answer, as ${cluster} does not dial ${client} and wraps packets only for pods of clusters that it dials`;
    return { reason, unanswered: true };
  }
  if (broken.some(({ peer, state }) => peer === client && state === 'disconnected')) {
    const reason = `requests that go there may get no answer, as ${cluster} is not connected to ${client} and wraps packets only for pods that it hears of`;
    return { reason };
  }
  return undefined;
}
