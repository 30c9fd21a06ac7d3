import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { kubectlCommand } from '../../command-line.ts';
import { OPERATOR_SELECTOR } from '../../objects/names.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { listed } from '../shared/check.ts';

/** Whether a cluster whose nodes were read has none of that name. */
export function isNodeGone({ to, node }: { to: ClusterSnapshot; node: string }): boolean {
  return to.nodes.length > 0 && !to.nodes.some(({ name }) => name === node);
}

/**
 * Of nodes that went, as an autoscaler takes them, agents everywhere know until their CiliumNodes go: Kubernetes removes them with
 * their owners, and cilium-operator those without owner once it has missed the Node for `nodes-gc-interval`, five minutes by
 * default (Cilium's operator/watchers/cilium_node_gc.go). One annotated with `io.cilium.k8s.operator/skip-gc` is meant to stay.
 * @param names of the nodes, in the cluster that had them
 */
export function leftOfNodes(cluster: ClusterSnapshot, names: readonly string[]): { because: string; hint: string } {
  const { context, namespace } = cluster;
  const look = kubectlCommand({ context, namespace }, ['get', 'pods', '-l', OPERATOR_SELECTOR]);
  const remove = kubectlCommand({ context }, ['delete', 'ciliumnode', ...names]);
  return {
    because: `${knownAs(cluster)} has no Node ${listed(names)} any more, only the CiliumNode of that name`,
    hint: `Kubernetes or cilium-operator removes it within some ten minutes; where the operator does not, see whether it runs, or remove it if no node is to have that name: ${look}; or ${remove}`,
  };
}
