import { familyOf } from '../../cilium/cidr.ts';
import { isTunnel } from '../../cilium/datapath.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { carryingFamilies } from '../../network/needs.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import type { HealthProblem, NodeHealth } from '../shared/mesh-input.ts';

/**
 * Whether packets of pods are lost by what a probe tells, as far as that is known: the mesh works without ping, and without an
 * address of a node in a family in which none of them travels. An endpoint is reached by the way that they take.
 */
export function isGrave(
  problem: HealthProblem,
  health: NodeHealth,
  cluster: ClusterSnapshot,
  all: readonly ClusterSnapshot[],
): boolean {
  const { of, address, probe } = problem;
  const { node } = health;
  if (probe === 'icmp') return false;
  // Routed natively, what refuses may be a firewall that lets no pod's TCP through.
  if (isPortRefused(problem, health) && (of === 'node' || isTunnel(cluster))) return false;
  const other = all.find((one) => node.startsWith(`${knownAs(one)}/`));
  if (of === 'endpoint' || address === '' || !other) return true;
  return carryingFamilies(cluster, other).has(familyOf(address));
}

/** Whether packets went there and back, as the ping to that address did, and nothing took them. */
export function isPortRefused({ of, address, probe, says }: HealthProblem, { problems }: NodeHealth): boolean {
  if (probe !== 'http' || !/connection refused/i.test(says)) return false;
  return !problems.some((one) => one.of === of && one.address === address && one.probe === 'icmp');
}

/** The name of a node's cluster: agents name nodes of the mesh `<cluster>/<node>`. */
export function clusterOfNode({ node }: NodeHealth): string {
  return node.split('/')[0] ?? '';
}

/** From this age on it is said: agents probe each other every minute or so, and what was wrong then may be mended. */
const OLD_S = 30;

/** A probe that was given up, for people, with how old that is. */
export function problemWord({ of, address, probe, says, ageS = 0 }: HealthProblem): string {
  const where = address === '' ? '' : ` over IPv${familyOf(address)} to ${address}`;
  return `${of} ${probe}${where}: ${says}${ageS < OLD_S ? '' : `, ${ageS} s ago`}`;
}
