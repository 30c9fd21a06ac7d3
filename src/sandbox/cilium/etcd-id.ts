import { createHash } from 'node:crypto';

/** The cluster id of a stand-in for etcd, in hexadecimal as Cilium prints it: each has its own. @param port at which it listens */
export function etcdIdAt(port: number | undefined): string {
  const hash = createHash('sha256').update(String(port)).digest('hex').slice(0, 16);
  return BigInt(`0x${hash}`).toString(16);
}
