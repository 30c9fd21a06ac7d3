import { isAddressOf } from '../apiserver/own-addresses.ts';
import { dialledAddresses } from '../peers/file/dialled-addresses.ts';
import { foreignFile } from '../peers/file/foreign-file.ts';
import type { Direction } from './direction.ts';

/** A dial at addresses that are not the peer's Service's, where nothing tells who answers there. */
export interface UnprovedDial {
  from: string;
  to: string;
  addresses: readonly string[];
}

/** Those of these directions. */
export function unprovedDials(directions: readonly Direction[]): UnprovedDial[] {
  return directions.flatMap((direction) => {
    const addresses = unprovedAddresses(direction);
    const [from, to] = [direction.client.identity.name, direction.server.identity.name];
    return addresses.length > 0 ? [{ from, to, addresses }] : [];
  });
}

/** As a clause. */
export function unprovedDialWords({ from, to, addresses }: UnprovedDial): string {
  return `it is not known who answers ${from} at ${addresses.join(', ')}: the Service of ${to} has no such address`;
}

/** What is to be known before they are dialled: of those that are, by these very addresses, it is no news. */
export function unprovedWarnings(directions: readonly Direction[]): string[] {
  const isNew = ({ client, server, endpoint }: Direction) => {
    const dialled = dialledAddresses(client.snapshot, server.identity.name);
    return !endpoint.addresses.every((address) => dialled.includes(address));
  };
  return unprovedDials(directions.filter(isNew)).map(unprovedDialWords);
}

/**
 * The addresses of a direction of which none is one of the peer's: that its credential opens the peer's etcd
 * says nothing about who answers there.
 */
export function unprovedAddresses({ client, server, endpoint: { addresses } }: Direction): readonly string[] {
  const foreign = foreignFile(client.snapshot, server.identity.name);
  const isKept = foreign?.endpoint.addresses.join() === addresses.join();
  const leadsTo = isKept ? foreign.leadsTo : addresses;
  return leadsTo.some((address) => isAddressOf(server.snapshot, address)) ? [] : addresses;
}
