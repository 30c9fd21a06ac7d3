import type { FaultMesh } from './fault-mesh.ts';
import { found, refsOf } from './sandbox-mesh.ts';

/** For machines without kubectl: the writing commands that hints use. Anything else fails. */
export function kubectlStandIn({ one, two, kubeconfigPath }: FaultMesh, argv: readonly string[]): void {
  const flag = (name: string) => argv[argv.indexOf(name) + 1];
  if (flag('--kubeconfig') !== kubeconfigPath) throw new Error(`this kubeconfig is missing: ${argv.join(' ')}`);
  const cluster = found(
    [one, two].find(({ context }) => context === flag('--context')),
    `the context of ${argv.join(' ')}`,
  );
  const refs = refsOf({ namespace: found(flag('-n'), 'the namespace') });
  const line = argv.join(' ');
  const [, deployment, replicas] = / scale deployment\/(\S+) --replicas=(\d+)$/.exec(line) ?? [];
  const [, configMap] = / delete configmap (\S+)$/.exec(line) ?? [];
  const [, service] = / patch service (\S+) --type=json -p /.exec(line) ?? [];
  if (deployment !== undefined) {
    cluster.store.update(refs.deployment(deployment), ({ spec }) => {
      (spec as { replicas: number }).replicas = Number(replicas);
    });
  } else if (service !== undefined) {
    const operations = JSON.parse(argv.at(-1) ?? '') as { op: 'add'; path: string; value: unknown }[];
    cluster.store.update(refs.service(service), (object) => {
      for (const { path, value } of operations) {
        const fields = path.split('/').slice(1);
        const parent = fields
          .slice(0, -1)
          .reduce<unknown>((at, field) => (at as Record<string, unknown>)[field], object);
        (parent as Record<string, unknown>)[fields.at(-1) ?? ''] = value;
      }
    });
  } else if (configMap !== undefined) {
    cluster.store.delete(refs.configMap(configMap));
  } else {
    throw new Error(`without kubectl nobody runs: ${line}`);
  }
}
