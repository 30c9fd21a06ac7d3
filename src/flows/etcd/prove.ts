import { EtcdReadError } from '../../etcd/read-error.ts';
import { settleServed } from '../../mesh/apiserver/pod-marks.ts';
import { describeCommand } from '../../mesh/command-line.ts';
import { type Direction, dialledHosts } from '../../mesh/connect/direction.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { APISERVER_SELECTOR } from '../../mesh/objects/names.ts';
import { unreadiness, workloadTroubles } from '../../mesh/objects/workload-trouble.ts';
import type { Flow, Target } from '../flow.ts';
import {
  apiserverPods,
  createAsker,
  descriptionKey,
  type EtcdAnswer,
  isTimeToDoubt,
  type Looking,
  readyPods,
  untilSettled,
} from './ask-etcd.ts';
import type { ClientCertificate } from './open-etcd.ts';
import { explainRefusal, notPublished, refusalOf } from './refusal.ts';
import { settledRefusal } from './settled-refusal.ts';

/** A direction with the very credential that will be handed out for it. */
export interface Proof {
  direction: Direction;
  certificate: ClientCertificate;
  /**
   * Where it is the server's certificate that is proved: what its user may read does not matter then.
   * - shows: SHA-256 of that certificate, where it is known
   * - byOldLogin: nor does it matter whether the server takes the credential, which is not a new one
   */
  ofServer?: { shows?: string | undefined; byOldLogin: boolean } | undefined;
}

export interface ProofOptions {
  /** Without what it waits for its turns. */
  timeoutMs: number;
  /** See {@link Looking}. */
  limit?: Looking['limit'];
  /** Hears what is waited for, as a clause, each time that it changes. */
  say?: (clause: string) => void;
}

const RETRY_INTERVAL_MS = 250;

/** Reasons after which other pods may be there than before. */
const PODS_MAY_DIFFER = new Set(['no-ready-pod', 'unavailable', 'timeout']);

/**
 * Proves that one cluster lets all of its new peers in: with the very credentials it reads the cluster's own description
 * from the etcd of every ready clustermesh-apiserver pod, through the API server's port-forward, and the certificate must
 * cover what peers will dial. Users and certificates become live within seconds, so refusals are retried; until then with
 * one credential only, because all of them become live together. That makes one port-forward for each pod and credential,
 * and few more.
 * @throws MeshctlError `CredentialRefused` when time is up, naming the last refusal, or as soon as no waiting would change
 * it; `Incompatible` when another cluster answers
 */
export async function proveServer(
  flow: Flow,
  server: Target,
  proofs: readonly Proof[],
  { timeoutMs, limit, say = () => {} }: ProofOptions,
): Promise<void> {
  const ask = createAsker(flow, server);
  // The last user in the list is the last to be made.
  let pending = [...proofs].reverse();
  let pods: readonly KubeObject[] | undefined;
  let looks = 0;
  const attempt = async (proof: Proof, present: readonly KubeObject[], deadline: number) => {
    const { direction, certificate, ofServer } = proof;
    if (present.length === 0) return noReadyPod(server, await apiserverPods(server));
    const key = descriptionKey(direction.server.identity.name);
    const question = {
      credential: certificate,
      key,
      otherNames: dialledHosts(direction),
      shows: ofServer?.shows,
      deadline,
    };
    const refusals = (await ask(present, question)).map((answer) =>
      ofServer && isPastServer(answer, ofServer) ? undefined : refusalIn(answer, direction),
    );
    return refusals.find((refusal) => refusal !== undefined);
  };
  const looking = { deadline: flow.clock.ms() + timeoutMs, intervalMs: RETRY_INTERVAL_MS, limit };
  await untilSettled(flow, looking, async (last, deadline) => {
    while (pending.length > 0) {
      const present = pods ?? (await readyPods(server));
      pods = present;
      const [pilot, ...others] = pending as [Proof, ...Proof[]];
      const first = await attempt(pilot, present, deadline);
      const refusals = first
        ? [first]
        : [undefined, ...(await Promise.all(others.map((proof) => attempt(proof, present, deadline))))];
      // Those behind a pilot that was refused have not been tried.
      const tried = pending.slice(0, refusals.length);
      const refused = tried.flatMap((proof, index) => (refusals[index] ? [{ proof, refusal: refusals[index] }] : []));
      pending = pending.filter((proof) => !tried.includes(proof) || refused.some((one) => one.proof === proof));
      const [worst] = refused;
      if (!worst) continue;
      looks += 1;
      const about = [flow, server, worst.proof.direction, worst.refusal, present] as const;
      const settled = last || isTimeToDoubt(looks) ? await settledRefusal(...about) : undefined;
      if (settled) throw settled;
      if (last) throw await explainRefusal(...about);
      say(worst.refusal.message);
      if (PODS_MAY_DIFFER.has(String(worst.refusal.details.reason))) pods = undefined;
      return undefined;
    }
    return true;
  });
}

/** That nobody is there to be asked, with why no pod is ready. */
export function noReadyPod({ client: { context }, namespace }: Target, pods: readonly KubeObject[]): MeshctlError {
  const place = { context, namespace };
  const look = describeCommand(place, 'pods', { selector: APISERVER_SELECTOR });
  const trouble = workloadTroubles(undefined, pods)[0];
  const why = pods.length === 0 ? 'there is none' : (trouble?.says ?? pods.flatMap(unreadiness).join('; '));
  return new MeshctlError(
    'CredentialRefused',
    `context "${context}": no clustermesh-apiserver pod is ready${why ? ` (${why})` : ''}`,
    {
      hint: trouble?.hint ? `${trouble.hint} ${look}` : look,
      details: { context, reason: 'no-ready-pod', pods: pods.map(({ metadata }) => metadata.name) },
    },
  );
}

/** Whether an etcd answers by whose certificate a TLS client goes on, whatever it says to the client. */
function isPastServer(answer: EtcdAnswer, { byOldLogin }: { byOldLogin: boolean }): boolean {
  if ('value' in answer) return true;
  if (!(answer.error instanceof EtcdReadError)) return false;
  const { reason } = answer.error;
  return reason === 'permission-denied' || (byOldLogin && reason === 'tls-client-rejected');
}

/** What an answer lacks to be a proof: undefined when nothing. */
function refusalIn(answer: EtcdAnswer, direction: Direction): MeshctlError | undefined {
  if ('value' in answer) {
    return answer.value === undefined ? notPublished(direction) : checkIdentity(answer.value, direction);
  }
  const { error } = answer;
  if (error instanceof EtcdReadError) return refusalOf(error, direction);
  if (error.code !== 'PortForwardFailed' && error.code !== 'NotFound') throw error;
  return new MeshctlError(error.code, error.message, {
    hint: error.hint,
    cause: error,
    details: { ...error.details, reason: 'unavailable' },
  });
}

function checkIdentity(value: string, { client, server }: Direction): undefined {
  const id = clusterIdIn(value);
  if (id === server.identity.id) return undefined;
  const { context } = server.snapshot;
  throw new MeshctlError(
    'Incompatible',
    `context "${context}": cluster "${server.identity.name}" publishes ${id === undefined ? 'no id' : `the id ${id}`}, but cilium-config says ${server.identity.id}`,
    {
      hint: settleServed(server.snapshot, [client.snapshot]),
      details: { context, reason: 'wrong-cluster-id' },
    },
  );
}

/** The id in a cluster's description of itself; undefined when that is not readable. */
export function clusterIdIn(description: string): number | undefined {
  try {
    return (JSON.parse(description) as { id?: number } | null)?.id ?? 0;
  } catch {
    return undefined;
  }
}
