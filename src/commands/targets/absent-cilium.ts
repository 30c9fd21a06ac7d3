import type { FirstLook } from '../../flows/targets/first-look.ts';
import { isOfOneSide, type Kubeconfig } from '../../kube/access/kubeconfig-entries.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { CommandContext } from '../command.ts';

/** Why a cluster is none of those that run Cilium. */
export function absenceOf({ namespace, elsewhere }: FirstLook): string {
  return `no Cilium in namespace ${namespace}${elsewhere ? `; it is in ${elsewhere.join(', ')}` : ''}`;
}

/** Refuses a namespace that has no Cilium, with the one that has. */
export function wrongNamespace({ again }: CommandContext, looks: readonly FirstLook[]): MeshctlError {
  const right = looks.flatMap(({ client, elsewhere = [] }) =>
    elsewhere.map((namespace) => `${client.context}=${namespace}`),
  );
  return new MeshctlError(
    'Usage',
    looks.map((look) => `context "${look.client.context}": ${absenceOf(look)}`).join('; '),
    {
      hint: `Name the namespace that has Cilium: ${again('-n', right.join(','))}`,
      details: {
        clusters: looks.map(({ client, namespace, elsewhere }) => ({ context: client.context, namespace, elsewhere })),
      },
    },
  );
}

/** Whether no context of a kubeconfig leads to Cilium, or not in the namespace that was given. */
export function isWithoutCilium(error: unknown): boolean {
  return error instanceof MeshctlError && (error.code === 'CiliumMissing' || error.details.withoutCilium === true);
}

/** Says that a kubeconfig leads to no cluster with Cilium. @param looks at each of its contexts; of those that answered, where Cilium is */
export function noCilium(
  { files, contexts, namedBy }: Kubeconfig,
  looks: readonly (FirstLook | object)[],
): MeshctlError {
  if (contexts.length === 0) {
    return new MeshctlError('ContextUnknown', `kubeconfig ${files.join(', ')} holds no contexts`, {
      hint: isOfOneSide({ namedBy })
        ? `Name one that leads to the destinations: ${namedBy?.file} FILE.`
        : 'Name one that leads to your clusters: --kubeconfig FILE, or KUBECONFIG.',
      details: { files, withoutCilium: true },
    });
  }
  const elsewhere = [...new Set(looks.flatMap((look) => ('elsewhere' in look ? (look.elsewhere ?? []) : [])))];
  const where = elsewhere.length > 0 ? ` in the namespace that was given; it is in ${elsewhere.join(', ')}` : '';
  return new MeshctlError(
    where ? 'Usage' : 'CiliumMissing',
    `no context of kubeconfig ${files.join(', ')} runs Cilium${where}`,
    {
      hint: where
        ? 'Leave the namespace out: it is found in each cluster.'
        : `Name contexts with ${namedBy?.contexts ?? '--context'}, or the namespace of Cilium with -n.`,
      details: { files, withoutCilium: true },
    },
  );
}
