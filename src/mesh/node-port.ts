/** The default range of an API server (`--service-node-port-range`). */
const FIRST = 30_000;
const COUNT = 2768;
/** The port of Cilium's chart, 32379, counted from the start of the range. */
const CHART_OFFSET = 2379;

/**
 * The NodePort for a cluster that nobody chose one for: 32379, as Cilium's chart has it, for id 1, and another one for each
 * other id. Clusters of one mesh must not share a NodePort: with kube-proxy replacement, dialling a peer's node at a port
 * that is also a NodePort of one's own leads back to oneself (cilium/cilium#24692).
 * @param clusterId 1 to 511
 */
export function defaultNodePort(clusterId: number): number {
  return FIRST + ((CHART_OFFSET + clusterId - 1) % COUNT);
}
