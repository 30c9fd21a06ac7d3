import { meshctlCommand } from '../command-line.ts';
import { describeRef, type KubeObject, keyOf, refOf } from '../kube-object.ts';
import { apiserverDeploymentRef } from '../names.ts';
import { FIELD_MANAGER } from '../plan.ts';
import { listed } from './check.ts';
import { findingOf, type MeshCheck } from './mesh-input.ts';

/** Who may write to these objects besides meshctl: Kubernetes' own controllers write status and annotations. */
const CONTROLLERS =
  /^(kube-controller-manager|kubelet|cloud-controller-manager|.*-controller|.*-controller-manager|k3s|rke2)$/;

/** Whether the objects are as meshctl wrote them, and whether others write to them too. */
export const OWNERSHIP_CHECKS: readonly MeshCheck[] = [
  {
    id: 'ownership-drift',
    category: 'ownership',
    title: 'objects are as the plan has them',
    subject: ({ context, namespace, objects }, { observed }) => {
      if (!objects.has(keyOf(apiserverDeploymentRef(namespace)))) {
        return { things: [], otherwise: 'Cluster Mesh is not enabled yet' };
      }
      const { drift, driftUnknown } = observed.get(context) ?? {};
      return { things: drift ? ['plan'] : [], otherwise: driftUnknown ?? 'it was not planned' };
    },
    run: ({ clusters, observed }) =>
      clusters.flatMap(({ context }) => {
        const drift = observed.get(context)?.drift ?? [];
        const hint = `See it: ${meshctlCommand('clustermesh enable', { context }, ['--dry-run'])}`;
        return drift.length > 0 ? [findingOf('ownership-drift', 'warn', context, { changes: drift }, hint)] : [];
      }),
    says: ({ args }) => `context "${args.context}": enable would change ${listed(args.changes)}`,
  },
  {
    id: 'ownership-managers',
    category: 'ownership',
    title: 'no one else writes to what meshctl manages',
    subject: ({ objects }) => ({
      things: [...objects.values()].filter(isApplied).map((object) => describeRef(refOf(object))),
      otherwise: 'there is nothing that meshctl applied',
    }),
    run: ({ clusters }) =>
      clusters.flatMap(({ context, objects }) => {
        const shared = [...objects.values()].flatMap((object) => {
          const managers = foreignManagers(object);
          return managers.length > 0 ? [`${describeRef(refOf(object))} (${managers.join(', ')})`] : [];
        });
        const hint = 'Two writers undo each other. Let only one of them manage the object, or name the fields apart.';
        return shared.length > 0 ? [findingOf('ownership-managers', 'warn', context, { objects: shared }, hint)] : [];
      }),
    says: ({ args }) => `context "${args.context}": others write to ${listed(args.objects)}`,
  },
];

function isApplied({ metadata: { managedFields = [] } }: KubeObject): boolean {
  return managedFields.some(({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply');
}

/** Other managers of an object that meshctl has applied. */
function foreignManagers(object: KubeObject): string[] {
  if (!isApplied(object)) return [];
  const others = (object.metadata.managedFields ?? [])
    .filter(({ manager = '', subresource }) => manager !== FIELD_MANAGER && !subresource && !CONTROLLERS.test(manager))
    .map(({ manager = 'unknown' }) => manager);
  return [...new Set(others)].sort();
}
