import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import type { AgentFacts, ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../mesh/objects/kube-object.ts';
import { AGENT_CONTAINER, agentDaemonSetRef } from '../mesh/objects/names.ts';
import { templateSpec, workloadStatus } from '../mesh/objects/workload.ts';
import { readNodes } from './nodes.ts';

/** What a snapshot tells of the agents' DaemonSet. */
export function agentFactsOf(daemonSet: KubeObject): AgentFacts {
  const status = workloadStatus(daemonSet);
  return {
    image: templateSpec(daemonSet).containers?.find(({ name }) => name === AGENT_CONTAINER)?.image ?? '',
    desired: status.desiredNumberScheduled ?? 0,
    ready: status.numberReady ?? 0,
  };
}

/** A snapshot that tells why no agent runs, where nobody has read that yet. As it is where it may not be read. */
export async function withAgents(client: ClusterClient, snapshot: ClusterSnapshot): Promise<ClusterSnapshot> {
  const ref = agentDaemonSetRef(snapshot.namespace);
  const key = keyOf(ref);
  if (!snapshot.unread?.has(key)) return snapshot;
  const read = async () => {
    const [daemonSet, nodes] = await Promise.all([client.get(ref), readNodes(client)]);
    const objects = new Map([...snapshot.objects, ...(daemonSet ? [[key, daemonSet] as const] : [])]);
    const unread = new Set([...(snapshot.unread ?? [])].filter((one) => one !== key));
    return { ...snapshot, objects, unread, nodes, agent: daemonSet && agentFactsOf(daemonSet) };
  };
  return (await unlessForbidden(read())) ?? snapshot;
}
