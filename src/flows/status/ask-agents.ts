import { unlessForbidden } from '../../kube/unless-refused.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { AGENT_CONTAINER, AGENT_SELECTOR } from '../../mesh/objects/names.ts';
import { isPodRunning, livingPods, nodeOf, startedAt } from '../../mesh/objects/pods.ts';
import type { Flow, Target } from '../flow.ts';

export interface Agent {
  node: string;
  pod: string;
  startedAt: Date | undefined;
  /** The parsed JSON that a command in the agent's container prints; undefined when it prints none. */
  json(command: readonly string[]): Promise<unknown>;
  /** What a command there prints, however it ends; undefined when it could not be run, or may not be. */
  text(command: readonly string[]): Promise<string | undefined>;
}

/**
 * The running agents, evenly spread over the list when there are more than `most`.
 * @returns also how many run, and the nodes whose agent does not: nobody there can be asked
 */
export async function listAgents(
  flow: Flow,
  { client, namespace }: Target,
  { most, timeoutMs }: { most: number; timeoutMs: number },
): Promise<{ agents: Agent[]; running: number; silent: string[] }> {
  const agents: Agent[] = [];
  const waiting = new Set<string>();
  for await (const pod of client.list(livingPods(namespace, AGENT_SELECTOR))) {
    const { name } = pod.metadata;
    const node = nodeOf(pod) ?? name;
    if (!isPodRunning(pod)) {
      waiting.add(node);
      continue;
    }
    const ask = async <T>(command: readonly string[], answerOf: (stdout: string, exitCode: number) => T) => {
      try {
        const { signal } = flow;
        const run = { namespace, pod: name, container: AGENT_CONTAINER, command, timeoutMs, signal };
        const { stdout, exitCode } = await client.exec(run);
        return answerOf(stdout, exitCode);
      } catch (error) {
        flow.signal.throwIfAborted();
        // What one agent cannot tell is left out; not being allowed to ask is an error.
        if (error instanceof MeshctlError && ['Forbidden', 'Unauthenticated'].includes(error.code)) throw error;
        return undefined;
      }
    };
    agents.push({
      node,
      pod: name,
      startedAt: startedAt(pod),
      json: (command) =>
        ask(command, (stdout, exitCode) => (exitCode === 0 ? (JSON.parse(stdout) as unknown) : undefined)),
      text: (command) => unlessForbidden(ask(command, (stdout) => stdout)),
    });
  }
  // One that is being replaced is on its node twice.
  const silent = [...waiting].filter((node) => !agents.some((agent) => agent.node === node));
  const running = agents.length;
  if (running <= most) return { agents, running, silent };
  const step = running / most;
  const spread = Array.from({ length: most }, (_, index) => agents[Math.floor(index * step)]);
  return { agents: spread.filter((agent) => !!agent), running, silent };
}
