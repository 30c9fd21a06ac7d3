import { keptSettingsOf } from '../../mesh/enable/kept-settings.ts';
import { isFoundation } from '../../mesh/enable/plan-enable.ts';
import { isRefusal, MeshctlError } from '../../mesh/errors.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { tryOnServer } from '../write/try-on-server.ts';

const GRANTING: readonly string[] = ['ClusterRole', 'ClusterRoleBinding'];

/**
 * What only the API server can judge is asked of it before anything stands that would be left half-done, as a load balancer. Nobody
 * can give the clustermesh-apiserver rights that they lack, and what that is an admission of its own says, or other authorisers than
 * roles; and of fields that were set it knows which exclude each other.
 * @throws MeshctlError `Forbidden` for such rights, and whatever refuses an object with fields that were set
 */
export async function requireTakeable(
  flow: Flow,
  target: Target,
  steps: readonly Step[],
  force: boolean,
): Promise<void> {
  const changed = steps.filter(isChange);
  const isFounded = changed.some(isFoundation);
  const isSet = ({ wanted }: Step) => keptSettingsOf(wanted).length > 0;
  const asked = changed.filter((step) => isSet(step) || (isFounded && GRANTING.includes(step.object.kind)));
  if (asked.length === 0) return;
  for (const [step, verdict] of await tryOnServer(flow, [target], asked, { force }))
    if (verdict instanceof MeshctlError && (isSet(step) ? isRefusal(verdict) : verdict.code === 'Forbidden'))
      throw verdict;
}
