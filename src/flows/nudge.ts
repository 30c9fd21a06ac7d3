import pLimit from 'p-limit';
import { refOf } from '../mesh/kube-object.ts';
import { AGENT_SELECTOR, APISERVER_SELECTOR } from '../mesh/names.ts';
import type { Flow, Target } from './flow.ts';

/** Beyond so many agents the patches would take longer than the kubelets' own next look. */
const MOST_AGENTS_NUDGED = 300;
const PATCHES_AT_A_TIME = 20;
const ANNOTATION = 'meshctl.io/nudged-at';

/**
 * Makes kubelets look at mounted Secrets and ConfigMaps now: they do so when a pod's annotation changes, else only every
 * minute or so (CILIUM.md "Nudge"). Nothing restarts. Not being allowed to is no failure, it only takes longer.
 */
export async function nudgePods(
  flow: Flow,
  target: Target,
  which: 'apiserver' | 'apiserver-and-agents',
): Promise<void> {
  const selectors = which === 'apiserver' ? [APISERVER_SELECTOR] : [APISERVER_SELECTOR, AGENT_SELECTOR];
  const limit = pLimit(PATCHES_AT_A_TIME);
  try {
    for (const labelSelector of selectors) {
      const pods = await target.client.listAll({
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: target.namespace,
        labelSelector,
      });
      if (pods.length > MOST_AGENTS_NUDGED) continue;
      const patch = { metadata: { annotations: { [ANNOTATION]: flow.now().toISOString() } } };
      await Promise.allSettled(pods.map((pod) => limit(() => target.client.patch(refOf(pod), patch))));
    }
  } catch {
    flow.signal.throwIfAborted();
  }
}
