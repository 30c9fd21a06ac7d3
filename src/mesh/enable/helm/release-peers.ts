import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { secretRef } from '../../objects/names.ts';
import { secretTexts } from '../../objects/secret-data.ts';
import { peerCertificateKeys } from '../../peers/file/peer-config.ts';
import { PEER_SECRETS } from '../../peers/peers.ts';
import { fieldsOf } from '../../record.ts';

/** A peer among a release's own values that has a certificate there; each field base64 of PEM. Never for output: it has the key. */
export interface ReleasePeer {
  name: string;
  tls: Readonly<Record<string, string>>;
}

/**
 * The peers with a certificate of their own in `clustermesh.config.clusters`, which is a list, or a table by name (the chart's
 * `clustermesh-clusters`; both it takes for a certificate only where the key is beside it).
 * @param config a release's own values, whatever they are
 */
export function peersOfRelease(config: unknown): ReleasePeer[] {
  const clusters: unknown = fieldsOf(fieldsOf(fieldsOf(config).clustermesh).config).clusters;
  const entries = Array.isArray(clusters)
    ? clusters.map((one) => fieldsOf(one))
    : Object.entries(fieldsOf(clusters)).map(([name, one]): Record<string, unknown> => ({ ...fieldsOf(one), name }));
  return entries.flatMap(({ name, tls }) => {
    const texts = Object.entries(fieldsOf(tls)).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    const given = Object.fromEntries(texts);
    return typeof name === 'string' && given.cert && given.key ? [{ name, tls: given }] : [];
  });
}

/** Values for Helm with the certificates that the release's own have for the same peers: a list takes the place of another one. */
export function withReleasePeers(
  values: Readonly<Record<string, unknown>>,
  release: readonly ReleasePeer[],
): Record<string, unknown> {
  const clustermesh = fieldsOf(values.clustermesh);
  const config = fieldsOf(clustermesh.config);
  if (!Array.isArray(config.clusters)) return values;
  const clusters = config.clusters.map((one) => {
    const kept = release.find(({ name }) => name === fieldsOf(one).name);
    return kept ? { ...fieldsOf(one), tls: kept.tls } : one;
  });
  return { ...values, clustermesh: { ...clustermesh, config: { ...config, clusters } } };
}

/** Whether the release has the very certificate and CA for a peer that lie beside its peering file now: Helm leaves them there. */
export function isKeptByRelease(
  { objects, namespace }: ClusterSnapshot,
  peer: string,
  release: readonly ReleasePeer[],
): boolean {
  const tls = release.find(({ name }) => name === peer)?.tls;
  if (!tls) return false;
  const names = peerCertificateKeys(peer);
  const textOf = (field: string) => Buffer.from(tls[field] ?? '', 'base64').toString();
  return PEER_SECRETS.some((secret) => {
    const texts = secretTexts(objects.get(keyOf(secretRef(namespace, secret))));
    const isSame = (key: string, field: string) => texts[key]?.trim() === textOf(field).trim();
    return isSame(names.certificate, 'cert') && isSame(names.privateKey, 'key') && isSame(names.ca, 'caCert');
  });
}
