import type { AgentIdentity } from '../../mesh/cilium/agent-identity.ts';
import { AGENT_CONTAINER } from '../../mesh/objects/names.ts';
import type { FailureClass } from '../../mesh/status/failure-reason.ts';
import type { PolledCluster } from '../../mesh/status/standing-status.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { numberOf, startedWithCommand, startedWithIn } from './started-with.ts';

/** What agents of a wrong name or id lack peers for: they have none of their own name, and take none of their own id for another cluster. */
const DOUBTFUL: readonly FailureClass[] = ['not-configured', 'syncing', 'wrong-cluster', 'config-not-retrieved'];

/** Agents of one cluster that are asked at most: those that are wrong are so together, since a restart means all of them. */
const MOST_ASKED = 3;

/** A file of some bytes. */
const ASK_MS = 10_000;

/** Who pods said that they are, by cluster and pod: it stays so as long as they run. */
export type KnownIdentities = Map<string, Promise<AgentIdentity>>;

/**
 * A cluster with the name and the id that agents were started with which lack a peer in such a way; unchanged where none does.
 * @param known what was asked before, and is asked now
 */
export async function withIdentities(
  flow: Flow,
  { client, namespace }: Target,
  polled: PolledCluster,
  known: KnownIdentities = new Map(),
): Promise<PolledCluster> {
  const { problems, context } = polled.report;
  const doubtful = problems.filter(({ component, class: kind }) => component === 'agent' && DOUBTFUL.includes(kind));
  const pods = new Map(doubtful.flatMap(({ pod, nodes: [node] }) => (pod && node ? [[pod, node] as const] : [])));
  if (pods.size === 0) return polled;
  const ask = async (pod: string, node: string): Promise<AgentIdentity> => {
    const asking = client.exec({
      namespace,
      pod,
      container: AGENT_CONTAINER,
      command: startedWithCommand(['cluster-name', 'cluster-id']),
      timeoutMs: ASK_MS,
      signal: flow.signal,
    });
    const told = await orWithout(
      flow,
      asking.then(({ stdout }) => startedWithIn(stdout)),
      undefined,
    );
    const { 'cluster-name': name = '', 'cluster-id': id } = told ?? {};
    return { node, ...(name.trim() ? { name: name.trim() } : {}), id: numberOf(id) };
  };
  const agents = await Promise.all(
    [...pods].slice(0, MOST_ASKED).map(([pod, node]) => {
      const key = `${context}/${pod}`;
      const asked = known.get(key) ?? ask(pod, node);
      known.set(key, asked);
      return asked;
    }),
  );
  return { ...polled, agents: agents.filter(({ name, id }) => name !== undefined || id !== undefined) };
}
