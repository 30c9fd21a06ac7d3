import pLimit from 'p-limit';
import { type EtcdKeyRead, readKey } from '../../etcd/read.ts';
import { EtcdReadError } from '../../etcd/read-error.ts';
import { withoutPatience } from '../../kube/patience.ts';
import { MeshctlError, mayAnswerLater } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { APISERVER_SELECTOR, CLUSTER_CONFIG_PREFIX } from '../../mesh/objects/names.ts';
import { isPodReady, livingPods } from '../../mesh/objects/pods.ts';
import { podStatus } from '../../mesh/objects/workload.ts';
import type { Flow, Target } from '../flow.ts';
import { pauseAfter } from '../look-pause.ts';
import { type ClientCertificate, openEtcd } from './open-etcd.ts';

/** What an etcd is asked, and with which credential. */
export interface EtcdQuestion {
  credential: ClientCertificate;
  /** A key, or the beginning of several. */
  key: string;
  /** Names that the server's certificate must hold, besides the Service's. */
  otherNames?: readonly string[] | undefined;
  /** SHA-256 of the certificate that the server must show. */
  shows?: string | undefined;
  /** Until then an answer is of use, on the flow's clock. Default: ten seconds from now. */
  deadline?: number | undefined;
}

/** What one pod's etcd said: what was read, or why nothing could be. */
export type EtcdAnswer<T = string | undefined> = { value: T } | { error: EtcdReadError | MeshctlError };

const ATTEMPT_TIMEOUT_MS = 10_000;
/** A handshake through an API server takes its time, however little is left. */
const SHORTEST_ATTEMPT_MS = 1_000;
/** Port-forwards to one cluster at a time. */
const ATTEMPTS_AT_A_TIME = 8;

/** Under which key a cluster describes itself in its etcd. */
export function descriptionKey(cluster: string): string {
  return `${CLUSTER_CONFIG_PREFIX}${cluster}`;
}

/** All pods of a cluster's clustermesh-apiserver. */
export function apiserverPods({ client, namespace }: Target): Promise<KubeObject[]> {
  return client.listAll(livingPods(namespace, APISERVER_SELECTOR));
}

/** Those whose etcd can be asked. */
export async function readyPods(server: Target): Promise<KubeObject[]> {
  return (await apiserverPods(server)).filter((pod) => isPodReady(pod));
}

/**
 * The pods with an etcd: those that are ready, which can be asked, and the others that may serve all the same: on a node that is cut off,
 * beside a container that fails, or on the way out a pod lets in whom it let in before. One that has not begun is left out: its etcd will be
 * empty, and gets the users that there are then.
 */
export async function servingPods(server: Target): Promise<{ ready: KubeObject[]; unready: KubeObject[] }> {
  const pods = await apiserverPods(server);
  return {
    ready: pods.filter(isPodReady),
    unready: pods.filter((pod) => podStatus(pod).phase === 'Running' && !isPodReady(pod)),
  };
}

/**
 * Asks one pod's etcd once, through the API server's port-forward.
 * @param read what is asked for; default: the value of the key
 * @throws what is no answer: the signal's reason, or a bug
 */
export async function askPod<T = string | undefined>(
  flow: Pick<Flow, 'signal' | 'clock'>,
  server: Target,
  pod: KubeObject,
  { credential, key, otherNames, shows, deadline = flow.clock.ms() + ATTEMPT_TIMEOUT_MS }: EtcdQuestion,
  read: (from: EtcdKeyRead) => Promise<T> = readKey as (from: EtcdKeyRead) => Promise<T>,
): Promise<EtcdAnswer<T>> {
  const timeoutMs = Math.min(ATTEMPT_TIMEOUT_MS, Math.max(deadline - flow.clock.ms(), SHORTEST_ATTEMPT_MS));
  try {
    const etcd = await openEtcd(flow, server, pod, timeoutMs);
    return { value: await read({ ...etcd, ...credential, otherNames, shows, key, timeoutMs }) };
  } catch (error) {
    flow.signal.throwIfAborted();
    if (error instanceof EtcdReadError || error instanceof MeshctlError) return { error };
    throw error;
  }
}

/** Asks pods, a few at a time whoever else asks with this asker: one for each cluster. */
export function createAsker(flow: Pick<Flow, 'signal' | 'clock'>, server: Target) {
  const limit = pLimit(ATTEMPTS_AT_A_TIME);
  return (pods: readonly KubeObject[], question: EtcdQuestion): Promise<EtcdAnswer[]> =>
    Promise.all(pods.map((pod) => limit(() => askPod(flow, server, pod, question))));
}

export interface Looking {
  /** On the flow's clock; it moves by as long as turns are waited for. */
  deadline: number;
  /** Between the first looks. Later ones are further apart: see {@link pauseAfter}. */
  intervalMs: number;
  /**
   * Lets a look in when it is its turn, where many clusters are looked at; between its looks a cluster takes no place. What it waits for
   * its turns is not of its time: the last of hundreds would have none left.
   */
  limit?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined;
}

/**
 * Whether it is time, after so many looks in vain, to find out whether waiting is in vain: that takes reads of its own, so
 * soon, and then ever less often.
 */
export function isTimeToDoubt(looks: number): boolean {
  return looks > 1 && (Number.isInteger(Math.log2(looks)) || looks % 16 === 0);
}

/**
 * Looks again and again until there is a result. A look that an API server fails which may answer later, as one that restarts, is none,
 * and ends at once: it has the place of others, and the deadline to keep.
 * @param look told at the deadline that it is the last one: it then gives a result or throws; and the deadline, as it is by then
 */
export async function untilSettled<T>(
  flow: Pick<Flow, 'signal' | 'clock'>,
  { deadline: end, intervalMs, limit = (work) => work() }: Looking,
  look: (last: boolean, deadline: number) => Promise<T | undefined>,
): Promise<T> {
  let deadline = end;
  const begunMs = flow.clock.ms();
  for (;;) {
    let last = false;
    let pauseMs = intervalMs;
    const queuedMs = flow.clock.ms();
    const turn = () => {
      deadline += flow.clock.ms() - queuedMs;
      const waitedMs = flow.clock.ms() - begunMs - (deadline - end);
      pauseMs = pauseAfter(waitedMs, intervalMs);
      last = flow.clock.ms() + pauseMs >= deadline;
      return withoutPatience(() => look(last, deadline));
    };
    const settled = await limit(turn).catch((error: unknown) => {
      if (last || flow.signal.aborted || !(error instanceof MeshctlError) || !mayAnswerLater(error)) throw error;
      return undefined;
    });
    if (settled !== undefined) return settled;
    if (last) throw new MeshctlError('Bug', 'the last attempt gave no result');
    await flow.clock.sleep(pauseMs, flow.signal);
  }
}
