import { CONFIG_DIRECTORY } from '../../objects/names.ts';
import { peerCertificateKeys } from './peer-config.ts';
import type { PeerFile } from './peer-file.ts';

/** A file that a peering file names. */
export interface NamedFile {
  /** What is in it, in words. */
  what: string;
  /** Its name in the folder of peering files. */
  name: string;
}

/**
 * The files beside a peering file that it names and that are not there: no keys of its Secret, nor of what Cilium's chart
 * mounts beside it. What is mounted elsewhere is not judged.
 * @param texts of the Secret
 * @param prefixes of the cluster's own certificates that are mounted beside them, e.g. `common-`
 */
export function missingFiles(
  { certFile, keyFile, trustedCaFile }: PeerFile,
  texts: Readonly<Record<string, string>>,
  prefixes: readonly string[],
): NamedFile[] {
  const mounted = prefixes.flatMap((prefix) =>
    Object.values(peerCertificateKeys('')).map((key) => `${prefix}${key.replace(/^\./, '')}`),
  );
  const named: [what: string, path: string | undefined][] = [
    ['the client certificate', certFile],
    ['the private key of the client certificate', keyFile],
    ['the CA certificate by which the peer is known', trustedCaFile],
  ];
  return named.flatMap(([what, path]) => {
    const name = path?.startsWith(`${CONFIG_DIRECTORY}/`) ? path.slice(CONFIG_DIRECTORY.length + 1) : undefined;
    if (name === undefined || name.includes('/') || texts[name] || mounted.includes(name)) return [];
    return [{ what, name }];
  });
}
