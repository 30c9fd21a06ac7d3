import { waitForList } from '../../kube/wait.ts';
import { podsRemain } from '../../mesh/enable/remaining-pods.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { APISERVER, APISERVER_SELECTOR } from '../../mesh/objects/names.ts';
import { livingPods } from '../../mesh/objects/pods.ts';
import { during, type Flow, type Target } from '../flow.ts';

/**
 * Waits until no pod of a clustermesh-apiserver is left whose Deployment was removed, by this run or an earlier one.
 * @throws MeshctlError `Timeout`, with the pods that are left and their nodes
 */
export async function awaitPodsGone(flow: Flow, { client, namespace }: Target, waitMs: number): Promise<void> {
  const selection = livingPods(namespace, APISERVER_SELECTOR);
  try {
    await during(
      flow,
      {
        doing: `${client.context}: waiting for the pods to terminate`,
        done: `${client.context}: the pods are gone`,
      },
      () =>
        waitForList(client, selection, (pods) => (pods.length === 0 ? true : undefined), {
          timeoutMs: waitMs,
          signal: flow.signal,
          waitingFor: `the pods of ${namespace}/${APISERVER} to go`,
        }),
    );
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code !== 'Timeout') throw error;
    const left = await client.listAll(selection, { signal: flow.signal });
    if (left.length > 0) throw podsRemain({ context: client.context, namespace }, left, waitMs);
  }
}

/** The same where nothing was left to remove: who has none is not told that. */
export async function awaitFormerPodsGone(flow: Flow, target: Target, waitMs: number): Promise<void> {
  const { client, namespace } = target;
  const pods = await client.listAll(livingPods(namespace, APISERVER_SELECTOR), { signal: flow.signal });
  if (pods.length > 0) await awaitPodsGone(flow, target, waitMs);
}
