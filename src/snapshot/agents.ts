import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import { versionIn, withRunning } from '../mesh/cilium/versions/running-versions.ts';
import type { AgentFacts, ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { type KubeObject, keyOf } from '../mesh/objects/kube-object.ts';
import { AGENT_CONTAINER, agentDaemonSetRef } from '../mesh/objects/names.ts';
import { toolOf } from '../mesh/objects/ownership.ts';
import { templateSpec, workloadStatus } from '../mesh/objects/workload.ts';
import { readRunningVersions } from './agent-version.ts';
import { readNodes } from './nodes.ts';

/** What a DaemonSet of agents tells of them by itself. */
export function agentFactsOf(daemonSet: KubeObject): AgentFacts {
  const status = workloadStatus(daemonSet);
  const tool = toolOf(daemonSet);
  return {
    image: templateSpec(daemonSet).containers?.find(({ name }) => name === AGENT_CONTAINER)?.image ?? '',
    ...(tool?.kind === 'helm' && tool.name !== undefined ? { release: tool.name } : {}),
    desired: status.desiredNumberScheduled ?? 0,
    ready: status.numberReady ?? 0,
  };
}

/**
 * The facts of a DaemonSet of agents with what of it runs, which may be something else; by the DaemonSet alone where pods may not
 * be listed, and where it says that all of them are of what it has by now: pods are whole objects, and one is on each node.
 * @param namespace Cilium's
 * @param eachAgent pods are read all the same: the image of one may be changed in place (Kubernetes API reference, Pod updates), and it
 * counts as one of the template by its label `controller-revision-hash` until then and after
 */
export async function readAgents(
  client: ClusterClient,
  namespace: string,
  daemonSet: KubeObject,
  { eachAgent = false }: { eachAgent?: boolean | undefined } = {},
): Promise<AgentFacts> {
  const facts = agentFactsOf(daemonSet);
  const version = versionIn(facts.image);
  if (!eachAgent && version !== undefined && runsTemplate(daemonSet))
    return withRunning(facts, { running: [{ image: facts.image, version, pods: facts.ready }], waiting: [] });
  const seen = await unlessForbidden(readRunningVersions(client, namespace));
  return seen ? withRunning(facts, seen) : facts;
}

/** Whether all of its agents are of its template, and some run. */
function runsTemplate(daemonSet: KubeObject): boolean {
  const {
    observedGeneration = 0,
    desiredNumberScheduled: desired = 0,
    updatedNumberScheduled: updated,
    numberMisscheduled = 0,
    numberReady = 0,
  } = workloadStatus(daemonSet);
  const isCurrent = observedGeneration >= (daemonSet.metadata.generation ?? 0);
  return isCurrent && updated === desired && numberMisscheduled === 0 && numberReady > 0;
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
