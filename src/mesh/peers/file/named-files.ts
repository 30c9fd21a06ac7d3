import { CONFIG_DIRECTORY, LOCAL_CERT_SECRET, REMOTE_CERT_SECRET } from '../../objects/names.ts';
import { COMMON_PREFIX, LOCAL_PREFIX, peerCertificateKeys } from './peer-config.ts';
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

/** Where the certificate and the CA of a peering file are. @param secret the one that holds it */
export function namedPlaces({ certFile, trustedCaFile }: PeerFile, secret: string): (string | undefined)[] {
  return [certFile, trustedCaFile].map((path) => placeOf(path, secret));
}

/**
 * Where a certificate file is, as snapshots name it; undefined for a path that is not mounted by Cilium's chart.
 * @param secret the one that holds the peering file
 */
function placeOf(path: string | undefined, secret: string): string | undefined {
  const name = path?.startsWith(`${CONFIG_DIRECTORY}/`) ? path.slice(CONFIG_DIRECTORY.length + 1) : undefined;
  const [, prefix] = /^(.+[-.])etcd-client(?:-ca)?\.crt$/.exec(name ?? '') ?? [];
  if (prefix === undefined) return undefined;
  if (prefix === COMMON_PREFIX) return REMOTE_CERT_SECRET;
  if (prefix === LOCAL_PREFIX) return LOCAL_CERT_SECRET;
  return prefix.endsWith('.') ? `${secret}/${prefix.slice(0, -1)}` : undefined;
}
