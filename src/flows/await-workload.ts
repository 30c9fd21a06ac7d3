import type { ClusterClient } from '../kube/client.ts';
import { linkSignals } from '../kube/http/linked-signal.ts';
import { type WaitOptions, waitForList, waitForObject } from '../kube/wait.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../mesh/objects/kube-object.ts';
import { livingPods } from '../mesh/objects/pods.ts';
import { hopelessness, workloadTroubles } from '../mesh/objects/workload-trouble.ts';

/** New pods that crash for so long will not come up by themselves: a container may lose a race once or twice. */
const CRASHING_FOR_MS = 10_000;

export interface WorkloadWait extends WaitOptions {
  /** Of its pods, by label. */
  selector: string;
  /** Is told each new trouble of the pods. */
  say(trouble: string): void;
}

/**
 * Waits until a Deployment is accepted, and no longer than its new pods may still come up: not for an image that cannot be
 * pulled, nor for a crash loop. Whoever may not list pods waits without.
 * @throws MeshctlError `Timeout`, also when it gives up; whatever {@link waitForObject} throws
 */
export async function waitForWorkload<T>(
  client: ClusterClient,
  ref: ObjectRef,
  accept: (object: KubeObject | undefined) => T | undefined,
  options: WorkloadWait,
): Promise<T> {
  const over = new AbortController();
  const hopeless = new AbortController();
  const watch = linkSignals(options.signal, over.signal);
  const wait = linkSignals(options.signal, hopeless.signal);
  const troubles = followTroubles(client, ref, { ...options, signal: watch.signal }, () => hopeless.abort());
  const look = (live: KubeObject | undefined) => {
    troubles.judge(live);
    return accept(live);
  };
  try {
    return await waitForObject(client, ref, look, { ...options, signal: wait.signal });
  } catch (error) {
    if (!hopeless.signal.aborted || options.signal.aborted) throw error;
    throw new MeshctlError(
      'Timeout',
      `context "${client.context}": new pods of ${ref.kind} ${ref.name} do not come up`,
      {
        cause: error,
      },
    );
  } finally {
    over.abort();
    watch.unlink();
    wait.unlink();
    await troubles.ended;
  }
}

interface Troubles {
  /** Looks at the pods again, in the light of the Deployment as it is now. */
  judge(deployment: KubeObject | undefined): void;
  ended: Promise<void>;
}

/** Says each new trouble of the pods until the signal is aborted, and gives up on new ones that are hopeless. */
function followTroubles(
  client: ClusterClient,
  { namespace }: ObjectRef,
  { selector, say, ...options }: WorkloadWait,
  giveUp: () => void,
): Troubles {
  let last: string | undefined;
  let lasting: AbortController | undefined;
  let pods: readonly KubeObject[] = [];
  let deployment: KubeObject | undefined;
  const judge = () => {
    const hope = hopelessness(pods, deployment);
    if (hope === 'now') giveUp();
    else if (hope === 'if-it-lasts') lasting ??= after(client, CRASHING_FOR_MS, giveUp);
    else {
      lasting?.abort();
      lasting = undefined;
    }
  };
  const look = (now: readonly KubeObject[]): undefined => {
    pods = now;
    const says = workloadTroubles(undefined, pods)[0]?.says;
    if (says !== undefined && says !== last) say(says);
    last = says;
    judge();
  };
  const follow = async () => {
    const selection = livingPods(namespace, selector);
    try {
      await waitForList(client, selection, look, { ...options, waitingFor: 'the pods' });
    } catch (error) {
      if (!(error instanceof MeshctlError)) throw error;
    } finally {
      lasting?.abort();
      // Nothing is judged any more after the last look.
      pods = [];
    }
  };
  return {
    judge: (live) => {
      deployment = live;
      judge();
    },
    ended: follow(),
  };
}

/** Does something once a time is over, on the clock that waits go by. @returns what calls it off */
function after({ clock }: ClusterClient, ms: number, work: () => void): AbortController {
  const waiting = new AbortController();
  const calledOff = () => undefined;
  void clock.sleep(ms, waiting.signal).then(work, calledOff);
  return waiting;
}
