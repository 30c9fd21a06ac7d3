import { recordedIdentity } from '../apiserver/recorded-identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { firstOf } from '../counted.ts';
import { identityOf, restartAgentsCommand } from './identity.ts';

/** The name and the id with which an agent was started, as far as it tells them. */
export interface AgentIdentity {
  node: string;
  name?: string | undefined;
  id?: number | undefined;
}

/** Agents that were started while cilium-config had another name or id than the one by which peers know the cluster. */
export interface MisnamedAgents {
  /** With which they run. */
  name: string;
  id: number;
  nodes: readonly string[];
}

/**
 * The agents of a cluster that run as another one than its clustermesh-apiserver, of the first identity that is found so. An agent has
 * no peer of its own name, and refuses one of its own id (Cilium's pkg/clustermesh).
 */
export function misnamedAgents(
  snapshot: ClusterSnapshot,
  agents: readonly AgentIdentity[] = [],
): MisnamedAgents | undefined {
  const wanted = { ...identityOf(snapshot.ciliumConfig ?? {}), ...recordedIdentity(snapshot) };
  const told = agents.map(({ node, name = wanted.name, id = wanted.id }) => ({ node, name, id }));
  const first = told.find(({ name, id }) => name !== wanted.name || id !== wanted.id);
  if (!first) return undefined;
  const { name, id } = first;
  return { name, id, nodes: told.filter((one) => one.name === name && one.id === id).map(({ node }) => node) };
}

/** `agents run as mesh-2, id 2 (node-1)`. */
export function saysMisnamed({ name, id, nodes }: MisnamedAgents): string {
  return `agents run as "${name}" with the id ${id} (${firstOf(nodes)})`;
}

/** A way back of cilium-config, with the restart that agents need which were started before it. */
export function withAgentsRestarted(
  back: string,
  snapshot: ClusterSnapshot,
  agents: readonly AgentIdentity[] | undefined,
): string {
  return misnamedAgents(snapshot, agents) ? `${back} && ${restartAgentsCommand(snapshot)}` : back;
}
