import pLimit from 'p-limit';
import { withoutPatience } from '../../kube/patience.ts';
import { errorOfAbort, isRefusal, MeshctlError } from '../../mesh/errors.ts';
import { type KubeObject, refOf } from '../../mesh/objects/kube-object.ts';
import { AGENT_SELECTOR, APISERVER_SELECTOR } from '../../mesh/objects/names.ts';
import { livingPods } from '../../mesh/objects/pods.ts';
import type { Flow, Target } from '../flow.ts';

export interface Nudge {
  /** Pods that read what was changed. */
  pods: 'apiserver' | 'apiserver-and-agents';
  /** However many agents there are: what comes next hangs on what they have read. */
  all?: boolean | undefined;
  /** Leaves no annotation behind, neither this nudge's nor a former one's: for a rollback, and for disconnect. */
  withdraw?: boolean | undefined;
  /** Instead of the client's own; after Ctrl-C there is still something to be said to pods. */
  signal?: AbortSignal | undefined;
}

/** Beyond so many agents the patches would take longer than the kubelets' own next look. */
const MOST_AGENTS_NUDGED = 300;
const PATCHES_AT_A_TIME = 20;
const ANNOTATION = 'meshctl.io/nudged-at';

/**
 * Makes kubelets look at mounted Secrets and ConfigMaps now: they do so when a pod's annotation changes, else only every
 * minute or so. Nothing restarts. Not being allowed to is no failure, it only takes longer, which is warned of with the right that is
 * missing. An API server that is away is not waited for: by then kubelets have looked.
 */
export function nudgePods(flow: Flow, target: Target, nudge: Nudge): Promise<void> {
  return withoutPatience(() => nudgeOnce(flow, target, nudge));
}

async function nudgeOnce(flow: Flow, target: Target, { pods: which, all, withdraw, signal }: Nudge): Promise<void> {
  const selectors = which === 'apiserver' ? [APISERVER_SELECTOR] : [APISERVER_SELECTOR, AGENT_SELECTOR];
  const { client, namespace } = target;
  const limit = pLimit(PATCHES_AT_A_TIME);
  const annotate = (pod: KubeObject, value: string | null) =>
    client.patch(refOf(pod), { metadata: { annotations: { [ANNOTATION]: value } } }, { signal });
  const nudge = async (pod: KubeObject): Promise<void> => {
    const nudged = pod.metadata.annotations?.[ANNOTATION] !== undefined;
    if (!withdraw || !nudged) await annotate(pod, flow.now().toISOString());
    if (withdraw) await annotate(pod, null);
  };
  let refused: MeshctlError | undefined;
  for (const labelSelector of selectors) {
    try {
      const pods = await client.listAll(livingPods(namespace, labelSelector), { signal });
      if (!all && pods.length > MOST_AGENTS_NUDGED) continue;
      const nudged = await Promise.allSettled(pods.map((pod) => limit(() => nudge(pod))));
      const errors = nudged.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
      // Of pods that are gone by then nobody needs to know.
      if (errors.length > 0) throw errors.find(isRefused) ?? errors[0];
    } catch (error) {
      const stop = signal ?? flow.signal;
      if (stop.aborted) throw errorOfAbort(stop);
      if (!(error instanceof MeshctlError)) throw error;
      // The others may be let all the same: a webhook is about some pods.
      if (isRefused(error)) refused ??= error;
    }
  }
  if (refused) flow.progress.warn(lateWords(refused));
}

function isRefused(error: unknown): error is MeshctlError {
  return error instanceof MeshctlError && isRefusal(error);
}

/** That it takes as long as kubelets take by themselves (Kubernetes' docs, "Secrets": their sync period and that of their cache). */
function lateWords({ message, hint }: MeshctlError): string {
  const late = `${message}; pods see what was changed once their kubelets look by themselves, a minute or two later`;
  return hint === undefined ? late : `${late} → ${hint}`;
}
