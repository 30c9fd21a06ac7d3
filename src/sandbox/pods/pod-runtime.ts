import { setTimeout as delay } from 'node:timers/promises';
import type { ExecRequest, PodRuntime } from '../apiserver/api.ts';
import { badRequest, notFound } from '../apiserver/errors.ts';
import type { Kubelet, RunningPod } from '../controllers/kubelet.ts';
import type { Container } from '../objects.ts';
import { isEtcdProcess } from '../programs/etcd.ts';
import { writeAll } from '../programs/status-text.ts';
import { dialLoopback } from './loopback.ts';
import { containerFiles } from './mounts.ts';
import type { ContainerProcess } from './process.ts';

const NOT_FOUND_EXIT_CODE = 127;
const ETCD_PORT = 2379;

/** Serves exec, port-forward and logs from the stand-ins. @param execDelayMs how long each exec takes at least */
export function createPodRuntime(kubelet: Kubelet, execDelayMs: number): PodRuntime {
  function find(namespace: string, name: string): RunningPod {
    const pod = kubelet.find(namespace, name);
    if (!pod) throw notFound({ group: '', plural: 'pods' }, name);
    return pod;
  }

  function findContainer(namespace: string, name: string, container: string) {
    const pod = find(namespace, name);
    const spec = pod.pod.spec.containers.find((entry) => entry.name === container);
    if (!spec) throw badRequest(`container ${container} is not valid for pod ${name}`);
    const process = pod.processes.get(container);
    if (!process || process.crashed?.() !== undefined) {
      throw badRequest(`container ${container} of pod ${namespace}/${name} is not running`);
    }
    return { pod, spec, process };
  }

  return {
    async exec(request) {
      const { pod, spec, process } = findContainer(request.namespace, request.pod, request.container);
      if (execDelayMs > 0) await delay(execDelayMs, undefined, { signal: request.signal });
      const code = (await process.exec?.(request.command, request)) ?? (await runCommon(pod, spec, request));
      if (code !== undefined) return code;
      const [program = ''] = request.command;
      await writeAll(
        request.stderr,
        `exec: "${program}": not in this container: it is simulated by meshctl's sandbox, which has curl, wget, cat, echo, hostname and Cilium's status commands\n`,
      );
      return NOT_FOUND_EXIT_CODE;
    },
    async portForward(namespace, name, port) {
      const pod = find(namespace, name);
      const realPort = port === ETCD_PORT ? [...pod.processes.values()].find(isEtcdProcess)?.realPort() : undefined;
      if (realPort === undefined) {
        throw new Error(`failed to connect to localhost:${port} inside pod ${name}: connect: connection refused`);
      }
      return dialLoopback(realPort);
    },
    logs(namespace, name, container) {
      const process: ContainerProcess | undefined = find(namespace, name).processes.get(container);
      if (!process) throw badRequest(`container "${container}" in pod "${name}" is not running`);
      return `${process.logs().join('\n')}\n`;
    },
  };
}

/** The few programs that every simulated container has. */
async function runCommon(pod: RunningPod, container: Container, request: ExecRequest): Promise<number | undefined> {
  const [program, ...words] = request.command;
  if (program === 'echo') {
    await writeAll(request.stdout, `${words.join(' ')}\n`);
    return 0;
  }
  if (program === 'hostname') {
    const { spec, metadata } = pod.pod;
    await writeAll(request.stdout, `${spec.hostNetwork ? spec.nodeName : metadata.name}\n`);
    return 0;
  }
  if (program === 'cat') return catFiles(containerFiles(container, pod.volumes), words, request);
  return undefined;
}

async function catFiles(files: ReadonlyMap<string, Buffer>, paths: string[], { stdout, stderr }: ExecRequest) {
  for (const path of paths) {
    const content = files.get(path);
    // The sandbox's keys are as secret as any.
    const refusal = !content
      ? 'No such file or directory'
      : /PRIVATE KEY/.test(content.toString())
        ? 'Permission denied'
        : '';
    if (!content || refusal) {
      await writeAll(stderr, `cat: ${path}: ${refusal}\n`);
      return 1;
    }
    await writeAll(stdout, content.toString());
  }
  return 0;
}
