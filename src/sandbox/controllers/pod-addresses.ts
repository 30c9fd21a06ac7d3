import { addressIn } from '../fixtures/addresses.ts';
import type { Node } from '../objects.ts';

/** The addresses that pods of all nodes have. */
export interface PodAddresses {
  /** The first free address of each of the node's pod CIDRs; the lowest ten are left to the node. */
  allocate(node: Node): string[];
  /** Takes addresses that were just released again. */
  keep(ips: readonly string[]): void;
  release(ips: readonly string[]): void;
}

const FIRST_HOST = 10;

export function createPodAddresses(): PodAddresses {
  const taken = new Set<string>();
  return {
    allocate({ spec: { podCIDR = '10.0.0.0/24', podCIDRs = [podCIDR] } }) {
      let host = FIRST_HOST;
      const at = () => podCIDRs.map((cidr) => addressIn(cidr, host));
      while (at().some((ip) => taken.has(ip))) host++;
      const ips = at();
      for (const ip of ips) taken.add(ip);
      return ips;
    },
    keep(ips) {
      for (const ip of ips) taken.add(ip);
    },
    release(ips) {
      for (const ip of ips) taken.delete(ip);
    },
  };
}
