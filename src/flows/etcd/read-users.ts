import { readUsers } from '../../etcd/read.ts';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { isRefusal, MeshctlError } from '../../mesh/errors.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { ADMIN_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretTexts } from '../../mesh/objects/secret-data.ts';
import { TLS_KEYS } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { askPod, readyPods } from './ask-etcd.ts';

const READ_TIMEOUT_MS = 5_000;

/** The users of a cluster's etcds: each pod has one of its own. */
export interface EtcdUsers {
  /** By pod. */
  users: Map<string, readonly string[]>;
  /** Ready pods that could not be asked: who is let in there is not known. */
  unasked: string[];
  /** The API server does not let etcds be asked, so that asking again is in vain. */
  isRefused?: true;
}

/**
 * The users that the etcds of a cluster have, read as the administrator whose certificate the cluster has.
 * @param snapshot the certificate is read where it has none: a disconnect does without
 */
export async function readEtcdUsers(
  flow: Flow,
  target: Target,
  { objects }: Pick<ClusterSnapshot, 'objects'>,
): Promise<EtcdUsers> {
  const ref = secretRef(target.namespace, ADMIN_CERT_SECRET);
  const texts = secretTexts(objects.get(keyOf(ref)) ?? (await unlessForbidden(target.client.get(ref))));
  const { [TLS_KEYS.ca]: ca, [TLS_KEYS.certificate]: certificate, [TLS_KEYS.privateKey]: privateKey } = texts;
  const pods = await readyPods(target);
  const names = pods.map(({ metadata: { name } }) => name);
  if (!ca || !certificate || !privateKey) return { users: new Map(), unasked: names };
  const deadline = flow.clock.ms() + READ_TIMEOUT_MS;
  let refused = false;
  const answers = await Promise.all(
    pods.map(async (pod): Promise<[string, readonly string[]][]> => {
      const question = { credential: { ca, certificate, privateKey }, key: '', deadline };
      const answer = await askPod(flow, target, pod, question, readUsers);
      if ('error' in answer) refused ||= answer.error instanceof MeshctlError && isRefusal(answer.error);
      return 'value' in answer ? [[pod.metadata.name, answer.value]] : [];
    }),
  );
  const users = new Map(answers.flat());
  const unasked = names.filter((name) => !users.has(name));
  return { users, unasked, ...(refused ? { isRefused: true } : {}) };
}
