import { MeshctlError } from '../../mesh/errors.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { tryOnServer } from '../write/try-on-server.ts';

const GRANTING: readonly string[] = ['ClusterRole', 'ClusterRoleBinding'];

/**
 * Nobody can give the clustermesh-apiserver rights that they lack, and only the API server knows what that is (an admission of
 * its own, or other authorisers than roles): it is asked before anything stands that would be left half-done, as a load balancer.
 * @throws MeshctlError `Forbidden`
 */
export async function requireGrantable(
  flow: Flow,
  target: Target,
  steps: readonly Step[],
  force: boolean,
): Promise<void> {
  const granting = steps.filter(({ object, action }) => action !== 'keep' && GRANTING.includes(object.kind));
  if (granting.length === 0) return;
  for (const verdict of (await tryOnServer(flow, [target], granting, { force })).values())
    if (verdict instanceof MeshctlError && verdict.code === 'Forbidden') throw verdict;
}
