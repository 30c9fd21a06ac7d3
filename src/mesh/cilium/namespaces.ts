import { entriesOfList } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { DNS_LABEL } from '../objects/names.ts';

/** The namespaces of Cilium that an operator gave: for certain clusters, and for all others. */
export interface CiliumNamespaces {
  /** By context or cluster name. */
  of: ReadonlyMap<string, string>;
  /** Undefined: it is looked for. */
  others?: string | undefined;
}

/**
 * Reads `cilium`, `mesh-2=cilium`, or several of it: `mesh-2=cilium,kube-system`.
 * @throws MeshctlError `Usage`
 */
export function parseCiliumNamespaces(text: string): CiliumNamespaces {
  const of = new Map<string, string>();
  let others: string | undefined;
  const same = (before: string | undefined, namespace: string): string => {
    if (before === undefined || before === namespace) return namespace;
    throw new MeshctlError('Usage', `"${text}" names two namespaces for the same clusters`);
  };
  for (const entry of entriesOfList(text)) {
    // A context may have `=` in its name, a namespace has none.
    const at = entry.lastIndexOf('=');
    const name = entry.slice(0, Math.max(at, 0)).trim();
    const namespace = entry.slice(at + 1).trim();
    if (!DNS_LABEL.test(namespace) || (at >= 0 && name === '')) {
      throw new MeshctlError('Usage', `"${entry}" names no namespace`, {
        hint: 'Write it like cilium, or mesh-2=cilium for one context or cluster.',
      });
    }
    if (at >= 0) of.set(name, same(of.get(name), namespace));
    else others = same(others, namespace);
  }
  return { of, others };
}
