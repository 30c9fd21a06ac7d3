import type { ExecResult } from '../../kube/exec.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import {
  AGENT_CONTAINER,
  AGENT_SELECTOR,
  AGENT_TROUBLESHOOT,
  APISERVER_SELECTOR,
  KVSTOREMESH_CONTAINER,
  KVSTOREMESH_TROUBLESHOOT,
} from '../../mesh/objects/names.ts';
import { isPodRunning, nodeOf, startedAt } from '../../mesh/objects/pods.ts';
import { podSpec } from '../../mesh/objects/workload.ts';
import {
  type RemoteClusterReport,
  remoteClusters,
  remoteClustersOfAgent,
} from '../../mesh/status/remote-cluster-report.ts';
import type { PollResult, StatusComponent } from '../../mesh/status/status.ts';
import { firstLine } from '../first-line.ts';

/** A pod as far as it is remembered: a whole one is some kilobytes, and there are thousands. */
export interface PodFacts {
  name: string;
  uid: string | undefined;
  node: string | undefined;
  /** It has the container of the program that it was listed for. */
  hasProgram: boolean;
  running: boolean;
  deleted: boolean;
  /** When its youngest container was started, milliseconds since 1970; undefined where it does not tell. */
  startedMs: number | undefined;
}

/** Of a `troubleshoot` of one peer: its longest step is a dial that times out. */
export const TROUBLESHOOT_TIMEOUT_MS = 15_000;
export const TROUBLESHOOTS_AT_A_TIME = 8;

/** A program in pods that knows how it is connected, and how it is asked. */
export interface StatusProgram {
  component: StatusComponent;
  selector: string;
  container: string;
  command: readonly string[];
  /** Makes a new connection to every peer. */
  troubleshoot: readonly string[];
  /** What a pod's answer is known by. */
  nameOf(pod: PodFacts): string;
  parse(document: unknown): readonly RemoteClusterReport[] | undefined;
}

export const AGENTS: StatusProgram = {
  component: 'agent',
  selector: AGENT_SELECTOR,
  container: AGENT_CONTAINER,
  command: ['cilium', 'status', '-o', 'json'],
  troubleshoot: AGENT_TROUBLESHOOT,
  nameOf: (pod) => pod.node ?? pod.name,
  parse: remoteClustersOfAgent,
};

export const REPLICAS: StatusProgram = {
  component: 'kvstoremesh',
  selector: APISERVER_SELECTOR,
  container: KVSTOREMESH_CONTAINER,
  command: ['/usr/bin/clustermesh-apiserver', 'kvstoremesh-dbg', 'status', '-o', 'json'],
  troubleshoot: KVSTOREMESH_TROUBLESHOOT,
  nameOf: (pod) => pod.name,
  parse: remoteClusters,
};

/** A pod as it is remembered. */
export function factsOf(pod: KubeObject, { container }: StatusProgram): PodFacts {
  const { name, uid, deletionTimestamp } = pod.metadata;
  return {
    name,
    uid,
    node: nodeOf(pod),
    hasProgram: podSpec(pod).containers?.some((one) => one.name === container) ?? false,
    running: isPodRunning(pod),
    deleted: deletionTimestamp !== undefined,
    startedMs: startedAt(pod)?.getTime(),
  };
}

/** What a program's output says, or why it says nothing. */
export function readAnswer(of: StatusProgram, { stdout, stderr, exitCode }: ExecResult): Omit<PollResult, 'name'> {
  const command = of.command.join(' ');
  if (exitCode !== 0) return { error: `${command} ended with ${exitCode}: ${firstLine(stderr || stdout)}` };
  let document: unknown;
  try {
    document = JSON.parse(stdout);
  } catch {
    return { error: `${command} gave no JSON: ${firstLine(stdout)}` };
  }
  const clusters = of.parse(document);
  return clusters ? { clusters } : { error: `${command} gave no list of clusters` };
}
