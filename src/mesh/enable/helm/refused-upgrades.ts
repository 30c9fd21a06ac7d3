import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { hasOurFields, isAppliedByHelm } from '../../objects/helm-fields.ts';
import type { KubeObject } from '../../objects/kube-object.ts';
import { REMOTE_USERS_CONFIGMAP } from '../../objects/names.ts';
import { toolOwner } from '../../objects/ownership.ts';
import { PEER_SECRETS } from '../../peers/peers.ts';
import type { Hazard } from '../../plan/agreement.ts';
import { isChange, type Step } from '../../plan/plan.ts';

/** An annotation of meshctl's own, also on pods, as in the path of a change: no chart has it. */
const OWN_MARK = /\.annotations\.meshctl\.io\//;

/** Whether a step changes what whoever makes the object may make too. */
export function changesMoreThanMarks({ action, changes }: Pick<Step, 'action' | 'changes'>): boolean {
  return isChange({ action }) && !(changes.length > 0 && changes.every(({ path }) => OWN_MARK.test(path)));
}

/**
 * What enable does to later upgrades of a release that Helm applies server-side: what meshctl has set by then, Helm changes only by
 * force, and it makes certificates anew by each upgrade (tls-helm in the chart).
 * @returns one for each release
 */
export function refusedUpgrades({ context }: Pick<ClusterSnapshot, 'context'>, steps: readonly Step[]): Hazard[] {
  const owners = steps.flatMap((step) =>
    step.before && isAppliedByHelm(step.before) && changesMoreThanMarks(step) ? (toolOwner(step.before) ?? []) : [],
  );
  return [...new Set(owners)].map((owner) => ({
    cluster: context,
    says: `later upgrades of ${owner} are refused for conflicts with "meshctl", unless they have --force-conflicts`,
  }));
}

/**
 * The objects of the mesh that Helm applies server-side and of which meshctl has set fields too: an upgrade that changes them is
 * refused. What connect writes is told by itself.
 */
export function contestedByHelm({ objects }: Pick<ClusterSnapshot, 'objects'>): KubeObject[] {
  const ofPeers = new Set<string>([REMOTE_USERS_CONFIGMAP, ...PEER_SECRETS]);
  return [...objects.values()].filter(
    (object) => isAppliedByHelm(object) && hasOurFields(object) && !ofPeers.has(object.metadata.name),
  );
}
