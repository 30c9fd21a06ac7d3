import type { Node } from '../objects.ts';

/** The addresses that pods of all nodes have. */
export interface PodAddresses {
  /** The first free address of the node's pod CIDR; the lowest ten are left to the node. */
  allocate(node: Node): string;
  /** Takes an address that was just released again. */
  keep(ip: string): void;
  release(ip: string): void;
}

export function createPodAddresses(): PodAddresses {
  const taken = new Set<string>();
  return {
    allocate(node) {
      const prefix = (node.spec.podCIDR ?? '10.0.0.0/24').split('.').slice(0, 3).join('.');
      let host = 10;
      while (taken.has(`${prefix}.${host}`)) host++;
      taken.add(`${prefix}.${host}`);
      return `${prefix}.${host}`;
    },
    keep: (ip) => void taken.add(ip),
    release: (ip) => void taken.delete(ip),
  };
}
