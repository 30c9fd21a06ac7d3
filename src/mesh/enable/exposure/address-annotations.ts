import { APISERVER } from '../../objects/names.ts';
import type { Step } from '../../plan/plan.ts';
import { PLATFORMS } from './platforms.ts';

const PREFIX = 'metadata.annotations.';
const OF_PLATFORMS: readonly string[] = PLATFORMS.flatMap(({ privateAnnotations = {} }) =>
  Object.keys(privateAnnotations),
);
/** Of further controllers: MetalLB, Cilium LB-IPAM, kube-vip, and what providers' names have in common. */
const OF_CONTROLLERS = /load-?balancer|lbipam|lb-ipam|metallb/i;

/** The annotations by which a step about the Service may make its load balancer change its address. */
export function addressAnnotations({
  action,
  object,
  changes,
  before,
}: Pick<Step, 'action' | 'object' | 'changes' | 'before'>): string[] {
  if (action !== 'update' || !before || object.kind !== 'Service' || object.name !== APISERVER) return [];
  return changes
    .filter(({ path }) => path.startsWith(PREFIX))
    .map(({ path }) => path.slice(PREFIX.length))
    .filter((name) => OF_PLATFORMS.includes(name) || OF_CONTROLLERS.test(name));
}
