import { hostPort, lackOfServingNodes, reachableEndpoints } from '../../apiserver/endpoints.ts';
import { apiserverService } from '../../apiserver/live.ts';
import { answersAt } from '../../apiserver/own-addresses.ts';
import { coversHost, nameCovers, namesBeside } from '../../certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand, unnamedContext } from '../../command-line.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { SERVER_CERT_SECRET, secretRef } from '../../objects/names.ts';
import { fieldOwner, foreignOwner, managersOfField } from '../../objects/ownership.ts';
import { hasServed, knownAs } from '../../peers/concerned-peers.ts';
import { addressesAstray } from '../../peers/file/addresses-astray.ts';
import { isLetIn, knownPeers } from '../../peers/peers.ts';
import type { PeerEffect } from '../../plan/peer-effects.ts';
import { FIELD_MANAGER, type Step } from '../../plan/plan.ts';
import { isOfService } from '../kept-service.ts';

interface LostAddressInput {
  snapshot: ClusterSnapshot;
  /** The cluster with its Service as it will be. */
  planned: ClusterSnapshot;
}

type Effect = Pick<PeerEffect, 'becomes' | 'why' | 'mend' | 'unlessAt'>;

/**
 * Whether peers may dial what the Service had before: it is gone, somebody has set by hand where it is reached, the server certificate
 * is for an address that it has not, as of a node that was replaced, or a run that changed it did not come to write that down. A tool's
 * Service is as that tool has made it.
 * @param steps the plan
 */
export function mayHaveStrays(snapshot: ClusterSnapshot, steps: readonly Step[]): boolean {
  if (!hasServed(snapshot) || knownPeers(snapshot).length === 0) return false;
  const service = apiserverService(snapshot);
  if (!service || lostHosts(snapshot).length > 0 || isInterrupted(steps)) return true;
  const managers = ['spec.type', 'spec.ports'].flatMap((path) => managersOfField(service, path));
  return managers.some((manager) => manager !== FIELD_MANAGER && fieldOwner(service, manager) === manager);
}

/** A choice of the Service is yet to be written down, which it has already: the run that made it so was cut short. */
function isInterrupted(steps: readonly Step[]): boolean {
  const isKept = steps.some(({ action, object: { kind } }) => kind === 'Service' && action === 'keep');
  return isKept && steps.some(({ object, changes }) => object.kind === 'Deployment' && changes.some(isOfService));
}

/** The server certificate, where it tells at which addresses peers were connected: others make one for what they know. */
function ownCertificate({ namespace, objects, tlsSecrets }: ClusterSnapshot) {
  const secret = objects.get(keyOf(secretRef(namespace, SERVER_CERT_SECRET)));
  return foreignOwner(secret) === undefined ? tlsSecrets.get(SERVER_CERT_SECRET)?.certificate : undefined;
}

/** Hosts for which that is, beside what the chart puts into each, and which the Service does not have. */
function lostHosts(snapshot: ClusterSnapshot): string[] {
  const certificate = ownCertificate(snapshot);
  if (!certificate) return [];
  const present = reachableEndpoints(snapshot) ?? [];
  return namesBeside(certificate, snapshot.namespace).filter(
    (name) => !present.some(({ host }) => nameCovers(name, host)),
  );
}

/**
 * A peer that was not read, where all addresses of which the server certificate tells are lost: whoever dials one of them cannot be
 * connected. Once the certificate is for those that are there, peers may have been connected by these.
 */
export function lostAddressEffects({ snapshot }: LostAddressInput, peer: string): Effect[] {
  const present = reachableEndpoints(snapshot);
  const certificate = ownCertificate(snapshot);
  const lost = lostHosts(snapshot);
  if (!present || !certificate || lost.length === 0 || !isLetIn(snapshot, peer)) return [];
  if (present.some(({ host }) => coversHost(certificate, host))) return [];
  const why = `it may dial ${lost.join(', ')}, which the Service does not have any more`;
  return [{ becomes: 'lost', why, mend: connectCommand(snapshot.context, unnamedContext(peer)) }];
}

/**
 * A peer that dials none of the addresses that the Service has now, so that it cannot be connected, unless somebody chose them. One that is
 * answered all the same, as at the node port of a load balancer, goes on, or is cut off where that goes.
 */
export function strayEffects({ snapshot, planned }: LostAddressInput, other: ClusterSnapshot): Effect[] {
  const stray = addressesAstray(other, knownAs(snapshot), snapshot);
  if (!stray) return [];
  const has = (cluster: ClusterSnapshot) =>
    reachableEndpoints(cluster)?.map(({ host, port }) => hostPort(host, port)) ?? [];
  const why = `it dials ${stray.dialled.join(', ')}`;
  const answering = (cluster: ClusterSnapshot) => stray.dialled.filter((address) => answersAt(cluster, address));
  const before = answering(snapshot);
  const isAnswered = answering(planned).length > 0;
  if (before.length > 0) {
    const gone = before.length === 1 ? 'an address that is removed' : 'addresses that are removed';
    const mend = connectCommand(snapshot.context, other.context);
    return isAnswered ? [] : [{ becomes: 'cut', why: `it dials ${before.join(', ')}, ${gone}`, mend }];
  }
  if (stray.how !== undefined) return [];
  if (isAnswered) {
    return [{ becomes: 'restored', why: `so far ${why}, which the Service does not have` }];
  }
  const after = has(planned).join(', ');
  const none = apiserverService(snapshot)
    ? 'and the Service has no address now'
    : 'which a new Service may not get again';
  return [
    {
      becomes: 'lost',
      why: `${why}, ${after ? `but the Service has ${after}` : none}`,
      // Without a node there is nothing that connect could have it dial.
      mend: lackOfServingNodes(planned)?.hint ?? connectCommand(snapshot.context, other.context),
      ...(after ? {} : { unlessAt: stray.dialled }),
    },
  ];
}
