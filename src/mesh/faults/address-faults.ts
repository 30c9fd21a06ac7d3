import { splitHostPort } from '../apiserver/endpoints.ts';
import { restoreTypeCommand } from '../apiserver/service-type-taken.ts';
import { coversHost } from '../certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../connect/direction.ts';
import { familyLack } from '../connect/families-apart.ts';
import { describeRef, refOf } from '../objects/kube-object.ts';
import { SERVER_CERT_SECRET } from '../objects/names.ts';
import { clusterKnownAs, knownAs } from '../peers/concerned-peers.ts';
import { addressesAstray } from '../peers/file/addresses-astray.ts';
import { dialledAddresses } from '../peers/file/dialled-addresses.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { configuredPeers, dialingFile } from '../peers/peers.ts';
import type { FailureClass } from '../status/failure-reason.ts';
import type { Fault } from './fault.ts';

/** What is dialled instead of the peer's Service, and which failures of the connection come of that. */
export interface AddressFault {
  fault: Fault;
  explains: readonly FailureClass[];
}

/** Nobody answers there, or a cluster that says itself that it is another one. */
const NOBODY: readonly FailureClass[] = ['refused', 'timed-out', 'cannot-resolve', 'wrong-cluster'];
/** Who answers there has other certificates, users or contents than the peer, with which nothing of that is wrong. */
const SOMEBODY_ELSE: readonly FailureClass[] = [
  'tls-unknown-ca',
  'tls-expired',
  'tls-usage',
  'tls-client-rejected',
  'permission-denied',
  'config-not-retrieved',
];

/**
 * For each peer of which no address is dialled that its Service has, what is dialled instead; and where who dials has no address of the
 * family of those that are dialled, that first. It may be how the peer is reached from there, so it only explains why a peer cannot be reached.
 * @param others the other clusters that were read; of one that was not, only what was chosen is told
 */
export function addressFaults(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): AddressFault[] {
  return configuredPeers(snapshot).flatMap((peer): AddressFault[] => {
    const file = dialingFile(snapshot, peer);
    const other = clusterKnownAs(peer, others);
    const apart =
      file && other
        ? addressApart(snapshot, other, describeRef({ ...refOf(file.secret), namespace: undefined }))
        : undefined;
    // Of who is connected all the same, only that the address is none of the peer's tells anything.
    const first = apart ? [apart] : [];
    const stray = addressesAstray(snapshot, peer, other);
    if (!file || !stray || (!stray.present && !choicesFor(snapshot, peer).endpoints)) return first;
    const { dialled, present, how } = stray;
    const service = present ? `, but the Service of ${peer} has ${present.join(', ')}` : '';
    const says = `${peer} is dialled at ${dialled.join(', ')}${how ? `, ${how}` : ''}${service}`;
    const { context, namespace } = snapshot;
    const component = dialsThroughKvstoremesh(snapshot) ? 'kvstoremesh' : 'agent';
    const object = describeRef({ ...refOf(file.secret), namespace: undefined });
    const hint = how || !other ? undefined : restoreTypeCommand(other);
    const base = { says, context, namespace, peer, component, object, key: peer, outage: true } as const;
    // Only to ask for the Service's makes connect change what was chosen, or what a tool wrote.
    const id = how ? 'peer-address-chosen' : 'peer-address-gone';
    const fault: Fault = { ...base, id, ...(hint ? { hint } : {}) };
    if (present && other) {
      const ownName = coversAll(other, dialled) ? (['tls-name'] as const) : [];
      return [...first, { fault, explains: [...NOBODY, ...SOMEBODY_ELSE, ...ownName] }];
    }
    // It may as well be the peer that has changed: only its own cluster tells.
    return [
      ...first,
      { fault, explains: NOBODY },
      { fault: { ...base, id: 'peer-address-doubtful' }, explains: [...SOMEBODY_ELSE, 'tls-name'] },
    ];
  });
}

/** That who dials has no address of the family that it dials. */
function addressApart(snapshot: ClusterSnapshot, other: ClusterSnapshot, object: string): AddressFault | undefined {
  const peer = knownAs(other);
  const hosts = dialledAddresses(snapshot, peer).map((address) => splitHostPort(address).host);
  const lack = familyLack(snapshot, other, hosts, choicesFor(snapshot, peer).endpoints !== undefined);
  if (!lack) return undefined;
  const { context, namespace } = snapshot;
  const component = dialsThroughKvstoremesh(snapshot) ? 'kvstoremesh' : 'agent';
  const place = { context, namespace, peer, component, object, key: peer } as const;
  const fault: Fault = { id: 'peer-address-family', says: lack.says, hint: lack.hint, ...place, outage: true };
  return { fault, explains: NOBODY };
}

/** Whether the peer's own server certificate is good for what is dialled: then one that is not is another server's. */
function coversAll({ tlsSecrets }: ClusterSnapshot, dialled: readonly string[]): boolean {
  const certificate = tlsSecrets.get(SERVER_CERT_SECRET)?.certificate;
  return certificate !== undefined && dialled.every((address) => coversHost(certificate, splitHostPort(address).host));
}
