import { readUsers } from '../../etcd/read.ts';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { ADMIN_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretTexts } from '../../mesh/objects/secret-data.ts';
import { TLS_KEYS } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { askPod, readyPods } from './ask-etcd.ts';

const READ_TIMEOUT_MS = 5_000;
/** Each pod has an etcd of its own; they are made alike. */
const MOST_PODS = 3;

/**
 * The users that the etcds of a cluster have, by pod, read as the administrator whose certificate the cluster has. Of pods
 * that cannot be asked there is no entry.
 * @param snapshot the certificate is read where it has none: a disconnect does without
 */
export async function readEtcdUsers(
  flow: Flow,
  target: Target,
  { objects }: Pick<ClusterSnapshot, 'objects'>,
): Promise<Map<string, readonly string[]>> {
  const ref = secretRef(target.namespace, ADMIN_CERT_SECRET);
  const texts = secretTexts(objects.get(keyOf(ref)) ?? (await unlessForbidden(target.client.get(ref))));
  const { [TLS_KEYS.ca]: ca, [TLS_KEYS.certificate]: certificate, [TLS_KEYS.privateKey]: privateKey } = texts;
  if (!ca || !certificate || !privateKey) return new Map();
  const pods = (await readyPods(target)).slice(0, MOST_PODS);
  const deadline = flow.clock.ms() + READ_TIMEOUT_MS;
  const answers = await Promise.all(
    pods.map(async (pod): Promise<[string, readonly string[]][]> => {
      const question = { credential: { ca, certificate, privateKey }, key: '', deadline };
      const answer = await askPod(flow, target, pod, question, readUsers);
      return 'value' in answer ? [[pod.metadata.name, answer.value]] : [];
    }),
  );
  return new Map(answers.flat());
}
