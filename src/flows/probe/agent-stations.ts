import { agentCommand } from '../../manifests/probe.ts';
import { AGENT_CONTAINER, AGENT_SELECTOR } from '../../mesh/objects/names.ts';
import { isPodRunning, livingPods, nodeOf } from '../../mesh/objects/pods.ts';
import type { Flow } from '../flow.ts';
import { type ProbeRun, type ProbeSite, type ProbeVerb, runIn, type Stations } from './station.ts';

/** The agents of the nodes: their containers are in the nodes' network and may open raw sockets. Nothing is made. */
export async function agentStations(
  flow: Flow,
  { client, snapshot, name, nodes }: ProbeSite,
  { programs, nextToken }: ProbeRun,
): Promise<Stations> {
  const { namespace } = snapshot;
  const pods = await client.collect(livingPods(namespace, AGENT_SELECTOR), (pod) =>
    isPodRunning(pod) ? [{ node: nodeOf(pod), pod: pod.metadata.name }] : [],
  );
  const found: Stations = { via: 'agents', stations: [], failed: [] };
  for (const { node, addresses } of nodes) {
    const place = { cluster: name, node: node.name, kind: 'node' as const, addresses };
    const agent = pods.find((one) => one.node === node.name);
    if (!agent) {
      found.failed.push({ ...place, failed: `no agent of Cilium runs on node ${node.name}` });
      continue;
    }
    const command = (verb: ProbeVerb, words: readonly string[]) => agentCommand(programs[verb], words);
    const where = { namespace, pod: agent.pod, container: AGENT_CONTAINER, command };
    found.stations.push({ place, run: runIn(client, where, nextToken(), flow.signal) });
  }
  const [first] = nodes;
  // What is from pods, or for them, is planned, and told as not tested.
  if (first) {
    const failed = "no pod sent or saw anything: Cilium's agents are in their node's network";
    found.failed.push({ cluster: name, node: first.node.name, kind: 'pod', addresses: [], failed });
  }
  return found;
}
