import { readEtcdId, readPrefix } from '../../etcd/read.ts';
import { EtcdReadError } from '../../etcd/read-error.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../../mesh/objects/kube-object.ts';
import { CLUSTER_CONFIG_PREFIX, LOCAL_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretTexts } from '../../mesh/objects/secret-data.ts';
import { TLS_KEYS } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { askPod, readyPods } from './ask-etcd.ts';
import type { ClientCertificate } from './open-etcd.ts';

const READ_TIMEOUT_MS = 5_000;

/**
 * The keys with a prefix in the etcd of one pod, read with the certificate of the cluster's own agents, which may read heartbeats, the
 * cache of peers and what is written of them (Cilium's pkg/kvstore/etcdinit, `rangesForLocalRole`). It is only for knowing more.
 * @returns the values by key, without the prefix; `unknown-user` where etcd knows the certificate's CA and not its user, `untold` where it
 * was asked in vain for any other reason; undefined where there is nothing to ask it with
 */
export async function readOwnKeys(
  flow: Flow,
  target: Target,
  snapshot: ClusterSnapshot,
  pod: KubeObject,
  prefix: string,
): Promise<Map<string, string> | 'unknown-user' | 'untold' | undefined> {
  const credential = await agentsCredential(flow, target, snapshot);
  if (!credential) return undefined;
  const question = { credential, key: prefix };
  const deadline = flow.clock.ms() + READ_TIMEOUT_MS;
  const answer = await askPod(flow, target, pod, { ...question, deadline }, readPrefix);
  // What matters is proved on its own.
  if ('error' in answer) {
    const { error } = answer;
    return error instanceof EtcdReadError && error.reason === 'permission-denied' ? 'unknown-user' : 'untold';
  }
  return new Map([...answer.value].map(([key, value]) => [key.slice(prefix.length), value]));
}

/** It is read where the snapshot has none: a disconnect does without. */
async function agentsCredential(
  flow: Flow,
  { client, namespace }: Target,
  { objects }: ClusterSnapshot,
): Promise<ClientCertificate | undefined> {
  const ref = secretRef(namespace, LOCAL_CERT_SECRET);
  const texts = secretTexts(objects.get(keyOf(ref)) ?? (await orWithout(flow, client.get(ref), undefined)));
  const { [TLS_KEYS.ca]: ca, [TLS_KEYS.certificate]: certificate, [TLS_KEYS.privateKey]: privateKey } = texts;
  return ca && certificate && privateKey ? { ca, certificate, privateKey } : undefined;
}

/**
 * The ids of a cluster's etcds, by which one is told from any other: each pod of a clustermesh-apiserver has an etcd of its own, and its id
 * comes of the pod's uid (`--initial-cluster-token` in Cilium's chart; etcd's membership.NewClusterFromURLsMap), so that a restart of the
 * container keeps it and a new pod has another one. Those that cannot be asked are left out.
 */
export async function readEtcdIds(flow: Flow, target: Target, snapshot: ClusterSnapshot): Promise<string[]> {
  const credential = await agentsCredential(flow, target, snapshot);
  if (!credential) return [];
  const question = { credential, key: CLUSTER_CONFIG_PREFIX, deadline: flow.clock.ms() + READ_TIMEOUT_MS };
  const pods = await readyPods(target);
  const answers = await Promise.all(pods.map((pod) => askPod(flow, target, pod, question, readEtcdId)));
  return answers.flatMap((answer) => ('error' in answer ? [] : (answer.value ?? [])));
}

/** The clusters that an etcd describes, by name: its own and, with KVStoreMesh, those in its cache. See {@link readOwnKeys}. */
export function readClusterConfigs(
  flow: Flow,
  target: Target,
  snapshot: ClusterSnapshot,
  pod: KubeObject,
): Promise<Map<string, string> | 'unknown-user' | 'untold' | undefined> {
  return readOwnKeys(flow, target, snapshot, pod, CLUSTER_CONFIG_PREFIX);
}
