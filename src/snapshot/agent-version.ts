import type { ClusterClient } from '../kube/client.ts';
import { type CiliumVersion, parseVersion, versionOfImage } from '../mesh/cilium/versions.ts';
import type { AgentFacts } from '../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { AGENT_CONTAINER, AGENT_SELECTOR } from '../mesh/objects/names.ts';
import { isPodRunning } from '../mesh/objects/pods.ts';
import { podSpec } from '../mesh/objects/workload.ts';

/** A version is nice to have: whatever does not say it soon is shown by its image. */
export const LONGEST_ANSWER_MS = 5000;

/** `Daemon: 1.20.0 0a1b2c3d 2026-…` of `cilium-dbg version`. */
export const DAEMON = /^Daemon: (\S+)/m;

/** The agents with their version, which one of them is asked for where their image does not tell it; as they are where none says it. */
export async function withToldVersion(
  client: ClusterClient,
  namespace: string,
  agent: AgentFacts,
): Promise<AgentFacts> {
  if (versionOfImage(agent.image)) return agent;
  const version = await askVersion(client, namespace, agent.image);
  return version ? { ...agent, version } : agent;
}

async function askVersion(client: ClusterClient, namespace: string, image: string): Promise<CiliumVersion | undefined> {
  try {
    const selection = { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: AGENT_SELECTOR };
    const [pod] = await client.collect(selection, (one) => (runsImage(one, image) ? [one.metadata.name] : []));
    if (pod === undefined) return undefined;
    const command = ['cilium-dbg', 'version'];
    const run = { namespace, pod, container: AGENT_CONTAINER, command, timeoutMs: LONGEST_ANSWER_MS };
    return parseVersion(DAEMON.exec((await client.exec(run)).stdout)?.[1] ?? '');
  } catch (error) {
    if (error instanceof MeshctlError && error.code !== 'Interrupted') return undefined;
    throw error;
  }
}

function runsImage(pod: KubeObject, image: string): boolean {
  const runs = podSpec(pod).containers?.find(({ name }) => name === AGENT_CONTAINER)?.image;
  return runs === image && !pod.metadata.deletionTimestamp && isPodRunning(pod);
}
