import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { readTemplate, type TemplateSource } from './load.ts';

/** Of the container in the probe's pods. */
export const PROBE_CONTAINER = 'probe';
/** The variable of the container that has the program. */
const PROGRAM_VARIABLE = 'PROBE';
/** Tells the pods of one run from those of others. */
export const RUN_LABEL = 'meshctl.io/probe-run';

/** The objects of the probe in one cluster. */
export interface ProbeObjects {
  namespace: KubeObject;
  /** A pod on a node. @param kind `node`: in the node's own network; `pod`: with an address of its own */
  pod(node: string, kind: 'node' | 'pod', index: number): KubeObject;
}

export interface ProbeValues {
  namespace: string;
  image: string;
  /** Of this run: eight hexadecimal digits. */
  token: string;
}

/**
 * Reads `templates/probe/` of the installed package and fills it in.
 * @throws MeshctlError `Bug` when a file is missing or is no object: the package is damaged
 */
export async function renderProbe(installation: TemplateSource, values: ProbeValues): Promise<ProbeObjects> {
  const [namespace, pod, program] = await Promise.all([
    readTemplate(installation, 'templates/probe/namespace.yaml'),
    readTemplate(installation, 'templates/probe/pod.yaml'),
    readProgram(installation),
  ]);
  const [container, ...others] = (pod.spec as { containers: Record<string, unknown>[] }).containers;
  const env = [{ name: PROGRAM_VARIABLE, value: program }];
  return {
    namespace: { ...namespace, metadata: { ...namespace.metadata, name: values.namespace } },
    pod: (node, kind, index) => ({
      ...pod,
      metadata: {
        ...pod.metadata,
        namespace: values.namespace,
        name: `probe-${values.token}-${index}`,
        labels: { ...pod.metadata.labels, [RUN_LABEL]: values.token },
      },
      spec: {
        ...(pod.spec as object),
        nodeName: node,
        hostNetwork: kind === 'node',
        containers: [{ ...container, image: values.image, env }, ...others],
      },
    }),
  };
}

/**
 * The probe's program as it is sent: without the lines that are for readers.
 * @param verb only what it needs, for where the text goes into the URL of a request: some proxies take 16 KiB of it
 */
export async function readProgram(installation: TemplateSource, verb?: string): Promise<string> {
  const text = await installation.read('templates/probe/probe.pl');
  let part = 'all';
  const lines = text.split('\n').filter((line) => {
    part = /^#: (\w+)$/.exec(line)?.[1] ?? part;
    return !/^\s*(#|$)/.test(line) && (verb === undefined || part === 'all' || part === verb);
  });
  return lines.map((line) => line.trimStart()).join('\n');
}

/** What runs the program in a pod of the probe, which has it in its environment. */
export function podCommand(words: readonly string[]): string[] {
  return ['sh', '-c', `exec perl -e "$${PROGRAM_VARIABLE}" "$@"`, 'probe', ...words];
}

/** What runs it anywhere else. @param program what the verb needs of it */
export function agentCommand(program: string, words: readonly string[]): string[] {
  return ['perl', '-e', program, ...words];
}
