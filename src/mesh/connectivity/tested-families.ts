import { familyOf } from '../cilium/cidr.ts';

/** The addresses of the test in one cluster. */
export interface TestedAddresses {
  /** The cluster's. */
  name: string;
  /** Of its Service. */
  service: readonly string[];
  /** Of which its pods have addresses, of clients and servers alike. */
  pods: readonly (4 | 6)[];
}

/** Requests of a cluster's clients in one IP family. */
export interface TestedFamily {
  /** Where requests of both are sent in the test. */
  family?: 4 | 6;
  /** The Service's address; absent where it has one only, so that its name leads to no other. */
  address?: string;
  /** The clusters that can answer in it, itself among them. */
  clusters: readonly string[];
}

/**
 * In which families each cluster's clients ask: in those of the Service's addresses that have pods. With one in all, the
 * Service is asked by its name. A name would lead to either, and hide that one of them does not work.
 * @returns by cluster; where it has one family alone, all clusters are to answer, though they may have another
 */
export function testedFamilies(all: readonly TestedAddresses[]): Map<string, TestedFamily[]> {
  const names = all.map(({ name }) => name);
  const usable = ({ service, pods }: TestedAddresses) => service.filter((address) => pods.includes(familyOf(address)));
  const hasBoth = new Set(all.flatMap(usable).map(familyOf)).size > 1;
  return new Map(
    all.map((one): [string, TestedFamily[]] => {
      const addresses = usable(one);
      const [only] = addresses;
      if (addresses.length <= 1) {
        const named = hasBoth && only !== undefined ? { family: familyOf(only) } : {};
        return [one.name, [{ ...named, clusters: names }]];
      }
      const inFamily = (family: 4 | 6) =>
        all.filter((other) => usable(other).some((address) => familyOf(address) === family)).map(({ name }) => name);
      return [
        one.name,
        addresses.map((address) => ({ family: familyOf(address), address, clusters: inFamily(familyOf(address)) })),
      ];
    }),
  );
}
