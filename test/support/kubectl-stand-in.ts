import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { clusterAt, found, refsOf } from './sandbox-mesh.ts';

/**
 * For machines without kubectl: the writing commands that hints use. Anything else fails.
 * @param kubeconfig the flag that a line must have; undefined where the environment names the file
 */
export function kubectlStandIn(
  clusters: readonly SandboxCluster[],
  kubeconfig: string | undefined,
  argv: readonly string[],
  input?: string,
): void {
  const flag = (name: string) => (argv.includes(name) ? argv[argv.indexOf(name) + 1] : undefined);
  if (flag('--kubeconfig') !== kubeconfig) throw new Error(`this kubeconfig is missing: ${argv.join(' ')}`);
  const cluster = clusterAt({ clusters }, found(flag('--context'), `the context of ${argv.join(' ')}`));
  const line = argv.join(' ');
  const [, node] = / uncordon (\S+)$/.exec(line) ?? [];
  if (node !== undefined) {
    cluster.store.update({ apiVersion: 'v1', kind: 'Node', name: node }, ({ spec }) => {
      delete (spec as { unschedulable?: boolean }).unschedulable;
    });
    return;
  }
  // Whoever lacks a right cannot grant it to himself: nothing comes of it.
  if (/ create (cluster)?role(binding)? /.test(line)) return;
  const namespace = found(flag('-n'), 'the namespace');
  const refs = refsOf({ namespace });
  const [, deployment, replicas] = / scale deployment\/(\S+) --replicas=(\d+)$/.exec(line) ?? [];
  const [, configMap] = / delete configmap (\S+)$/.exec(line) ?? [];
  const [, lease] = / delete lease (\S+)$/.exec(line) ?? [];
  const [, settings] = / patch configmap (\S+) --type merge --patch /.exec(line) ?? [];
  const [, workloads] = / rollout restart (.+)$/.exec(line) ?? [];
  const [, patched, patchedName = ''] = / patch (service|deployment) (\S+) --type=json -p /.exec(line) ?? [];
  if (deployment !== undefined) {
    cluster.store.update(refs.deployment(deployment), ({ spec }) => {
      (spec as { replicas: number }).replicas = Number(replicas);
    });
  } else if (patched === 'service' || patched === 'deployment') {
    const operations = JSON.parse(argv.at(-1) ?? '') as { op: 'add' | 'remove'; path: string; value: unknown }[];
    cluster.store.update(refs[patched](patchedName), (object) => {
      for (const { op, path, value } of operations) {
        const fields = path
          .split('/')
          .slice(1)
          .map((field) => field.replaceAll('~1', '/').replaceAll('~0', '~'));
        const last = fields.pop() ?? '';
        const parent = fields.reduce<unknown>((at, field) => (at as Record<string, unknown>)[field], object);
        if (op === 'add') (parent as Record<string, unknown>)[last] = value;
        else if (Array.isArray(parent)) parent.splice(Number(last), 1);
        else delete (parent as Record<string, unknown>)[last];
      }
    });
  } else if (settings !== undefined) {
    const { data } = JSON.parse(argv.at(-1) ?? '') as { data: Record<string, string> };
    cluster.store.update(refs.configMap(settings), (object) => {
      object.data = { ...(object.data as object), ...data };
    });
  } else if (workloads !== undefined) {
    for (const [kind, name] of workloads.split(' ').map((workload) => workload.split('/'))) {
      const ref = { ...refs.deployment(name ?? ''), kind: kind === 'daemonset' ? 'DaemonSet' : 'Deployment' };
      cluster.store.update(ref, ({ spec }) => {
        const { metadata } = (spec as { template: { metadata: { annotations?: Record<string, string> } } }).template;
        metadata.annotations = { ...metadata.annotations, restartedAt: new Date().toISOString() };
      });
    }
  } else if (line.endsWith(' apply -f -')) {
    const object = JSON.parse(input ?? '') as KubeObject;
    cluster.store.create({ ...object, metadata: { ...object.metadata, namespace } });
  } else if (configMap !== undefined) {
    cluster.store.delete(refs.configMap(configMap));
  } else if (lease !== undefined) {
    cluster.store.delete({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace, name: lease });
  } else {
    throw new Error(`without kubectl nobody runs: ${line}`);
  }
}
