import { replicasOf, sizeOf } from '../../apiserver/deployment.ts';
import { hostPort, serviceEndpoints } from '../../apiserver/endpoints.ts';
import { apiserverDeployment, apiserverService } from '../../apiserver/live.ts';
import { answersAt } from '../../apiserver/own-addresses.ts';
import { formerName, marksGivenUp } from '../../apiserver/pod-marks.ts';
import { podIdentity } from '../../apiserver/recorded-identity.ts';
import type { AuthorityPlan } from '../../certificates/plan-authority.ts';
import { clusterNameOf, identityOf } from '../../cilium/identity.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand, meshctlCommand, unnamedContext } from '../../command-line.ts';
import { lostFileFor } from '../../faults/lost-files.ts';
import { type KubeObject, keyOf, objectIn } from '../../objects/kube-object.ts';
import { APISERVER, apiserverDeploymentRef, SERVER_CERT_SECRET } from '../../objects/names.ts';
import { serviceSpec } from '../../objects/service.ts';
import { clusterKnownAs, concernedPeers, knownAs, namesOf } from '../../peers/concerned-peers.ts';
import { dialledAddresses } from '../../peers/file/dialled-addresses.ts';
import { haveLostBothHalves } from '../../peers/lost-halves.ts';
import { dialledInstead } from '../../peers/namesakes.ts';
import { peersOfOthers } from '../../peers/peer-choices.ts';
import { mendsForOtherOwners } from '../../peers/peers-of-others.ts';
import { restartEffects } from '../../peers/restarts/restart-effects.ts';
import { lostTrust } from '../../peers/trusting-peer.ts';
import { mergeEffects, type PeerEffect } from '../../plan/peer-effects.ts';
import type { Step } from '../../plan/plan.ts';
import { addressAnnotations } from '../exposure/address-annotations.ts';
import { lostAddressEffects, strayEffects } from './lost-addresses.ts';
import { userEffects, usersToRestore } from './lost-users.ts';
import { rangesLeft } from './opened-access.ts';
import type { PeerMove } from './peer-move.ts';
import { servingEffects } from './serving-effects.ts';
import { uncoveredEffects } from './uncovered-addresses.ts';

export interface EnableEffectsInput {
  snapshot: ClusterSnapshot;
  /** The cluster with its Service as it will be. */
  planned: ClusterSnapshot;
  authority: AuthorityPlan;
  steps: readonly Step[];
  /** The objects as they are rendered, and with what the operator has set. */
  rendered: readonly KubeObject[];
  objects: readonly KubeObject[];
  /** Other clusters, as far as they were read. */
  others: readonly ClusterSnapshot[];
  /** All that were read, also those that are not its peers: one of them may be who is dialled by its name. */
  all?: readonly ClusterSnapshot[] | undefined;
  move?: PeerMove | undefined;
}

/** What becomes of the connections with all known peers; nothing where nothing is changed. */
export function enableEffects(input: EnableEffectsInput): PeerEffect[] {
  const { snapshot, steps } = input;
  const isChanged = steps.some(({ action }) => action !== 'keep');
  const restored = usersToRestore(snapshot, input.others);
  const merged = mergeEffects(
    concernedPeers(snapshot, input.others).flatMap((peer) =>
      // Whoever is not connected stays so, also where nothing is to be done.
      (isChanged ? effectsOn(input, peer, restored) : unconnectedEffects(input, peer)).map((of) => ({
        ...of,
        cluster: snapshot.context,
        peer,
      })),
    ),
  );
  return mendsForOtherOwners(merged, peersOfOthers(snapshot));
}

type Effect = Omit<PeerEffect, 'cluster' | 'peer'>;

function effectsOn(input: EnableEffectsInput, peer: string, restored: readonly string[]): Effect[] {
  const { snapshot, others, move } = input;
  const other = clusterKnownAs(peer, others);
  const where = other?.context ?? unnamedContext(peer);
  const connect = connectCommand(snapshot.context, where);
  const moved = move?.peers.includes(peer) ? [moveEffect(move)] : [];
  if (dialsElsewhere(input, other)) return [{ becomes: 'kept', why: '' }, ...moved, ...unconnectedEffects(input, peer)];
  const served = servingEffects(input);
  // Whom nothing serves now loses nothing by new pods.
  const isOut = served.some(({ becomes }) => becomes === 'restored');
  return [
    { becomes: 'kept', why: '' },
    ...moved,
    ...served,
    ...userEffects(peer, restored),
    ...(isOut ? [] : replacementEffects(input, peer)),
    ...accessEffects(input),
    ...addressEffects(input, other).map((effect) => ({ ...effect, mend: connect })),
    ...authorityEffects(input, other).map((effect) => ({ ...effect, mend: connect })),
    ...identityEffects(input, where, connect),
    // What ends by these is connected anew first.
    ...unconnectedEffects(input, peer),
  ];
}

/** Whether a peer dials another cluster of this one's name: nothing that becomes of this one's server is anything to it. */
function dialsElsewhere({ snapshot, all = [] }: EnableEffectsInput, other: ClusterSnapshot | undefined): boolean {
  return other !== undefined && dialledInstead(other, knownAs(snapshot), snapshot, all) !== undefined;
}

/** Whoever is connected to a pod that ends connects anew. */
function replacementEffects({ snapshot, planned, steps, objects, others }: EnableEffectsInput, peer: string): Effect[] {
  const wanted = objectIn(objects, apiserverDeploymentRef(snapshot.namespace));
  const replaced = restartEffects(snapshot, steps, peer, { others, served: planned, after: wanted });
  const [before, after] = [replicasOf(apiserverDeployment(snapshot)), replicasOf(wanted)];
  if (replaced.length > 0 || before === undefined || after === undefined || after >= before) return replaced;
  return [{ becomes: 'moved', why: `${before - after} of ${before} pods of Deployment ${APISERVER} end` }];
}

function moveEffect({ before, after }: PeerMove): Effect {
  return { becomes: 'moved', why: `its file goes from Secret ${after.object.name} to Secret ${before.object.name}` };
}

/** What the Service may answer less of from now on; whom that is cannot be read anywhere. */
function accessEffects({ snapshot, planned, steps }: EnableEffectsInput): Effect[] {
  // Where there is none, nobody gets in now.
  if (!apiserverService(snapshot)) return [];
  const [before, after] = [serviceSpec(apiserverService(snapshot)), serviceSpec(apiserverService(planned))];
  const ranges = rangesLeft(snapshot, steps);
  const local = after.externalTrafficPolicy === 'Local' && before.externalTrafficPolicy !== 'Local';
  return [
    ...(ranges.length > 0 ? [{ becomes: 'unknown', why: `only clients in ${ranges.join(', ')} get in` } as const] : []),
    ...(local ? [{ becomes: 'unknown', why: 'only nodes with a clustermesh-apiserver pod answer' } as const] : []),
  ];
}

function addressEffects(
  { snapshot, planned, steps }: EnableEffectsInput,
  other: ClusterSnapshot | undefined,
): Effect[] {
  const before = addressesOf(snapshot);
  const annotations = steps.flatMap(addressAnnotations);
  const after = annotations.length > 0 ? [] : addressesOf(planned);
  const type = {
    before: serviceSpec(apiserverService(snapshot)).type,
    after: serviceSpec(apiserverService(planned)).type,
  };
  // The cluster address stays with the Service, and the node port with a load balancer (apiserver: patchAllocatedValues).
  const survives = type.before === 'ClusterIP' || (type.before === 'NodePort' && type.after === 'LoadBalancer');
  const gone = survives ? [] : before.filter((address) => !after.includes(address));
  if (gone.length === 0) return [];
  const known = other && dialledAddresses(other, ...namesOf(snapshot));
  if (known?.length === 0) return [];
  const dialled = known ?? before;
  const lost = dialled.filter((address) => gone.includes(address));
  const why = `${known === undefined ? 'peers dial' : 'it dials'} ${dialled.join(', ')}`;
  // Only its provider knows whether a load balancer goes on under its address.
  if (lost.length > 0 && type.before === 'LoadBalancer' && type.after === 'LoadBalancer') {
    const others = after.length > 0 ? ` for ${after.join(', ')}` : '';
    const cause = annotations.length > 0 ? ` with another ${annotations.join(', ')}` : others;
    return [{ becomes: 'unknown', why: `${why}, which the load balancer may give up${cause}` }];
  }
  if (lost.length === dialled.length)
    return [
      {
        becomes: 'cut',
        why: `${why}, ${lost.length === 1 ? 'an address that is removed' : 'addresses that are removed'}`,
      },
    ];
  if (dialled.some((address) => after.includes(address) || answersAt(planned, address))) return [];
  return [
    {
      becomes: 'unknown',
      why: `${why}, which may lead to ${gone.join(', ')}, ${gone.length === 1 ? 'an address that is removed' : 'addresses that are removed'}`,
    },
  ];
}

/** Why a peer cannot be connected by what the plan leaves as it is. */
function unconnectedEffects(input: EnableEffectsInput, peer: string): Effect[] {
  const other = clusterKnownAs(peer, input.others);
  if (dialsElsewhere(input, other)) return undialledEffects(input, peer, other);
  const uncovered = uncoveredEffects(input, peer, other);
  return [
    ...undialledEffects(input, peer, other),
    ...(other ? strayEffects(input, other) : []),
    ...(other || uncovered.length > 0 ? [] : lostAddressEffects(input, peer)),
    ...uncovered,
  ];
}

/** A peer whose peering file is lost here: enable writes none. */
function undialledEffects(
  { snapshot }: EnableEffectsInput,
  peer: string,
  other: ClusterSnapshot | undefined,
): Effect[] {
  const lacking = lostFileFor(snapshot, peer);
  const areLost = other !== undefined && haveLostBothHalves(snapshot, other);
  if (!lacking && !areLost) return [];
  const why = lacking ?? 'neither cluster has a peering file for the other one';
  return [{ becomes: 'lost', why, mend: connectCommand(snapshot.context, other?.context ?? unnamedContext(peer)) }];
}

function addressesOf(snapshot: ClusterSnapshot): string[] {
  const endpoints = serviceEndpoints(snapshot);
  return endpoints ? endpoints.hosts.map((host) => hostPort(host, endpoints.port)) : [];
}

/**
 * A new CA, a certificate from another one, or pods that start with another one, cut off whoever trusts the former, whatever
 * is left of that here.
 */
function authorityEffects(
  { snapshot, authority, steps }: EnableEffectsInput,
  other: ClusterSnapshot | undefined,
): Effect[] {
  const reissued = steps.some(({ action, object }) => action !== 'keep' && object.name === SERVER_CERT_SECRET);
  const ref = keyOf(apiserverDeploymentRef(snapshot.namespace));
  const givenUp = steps.filter(({ object }) => keyOf(object) === ref).flatMap(({ changes }) => marksGivenUp(changes));
  if (!authority.makes && !reissued && givenUp.length === 0) return [];
  const why = lostTrust(snapshot, other, { authority: authority.certificate, makes: authority.makes, givenUp });
  return why === undefined ? [] : [{ becomes: 'cut', why }];
}

function identityEffects({ snapshot }: EnableEffectsInput, where: string, connect: string): Effect[] {
  const name = clusterNameOf(snapshot);
  const former = formerName(snapshot, { name });
  if (former !== undefined) {
    const forget = meshctlCommand('clustermesh disconnect', { context: where }, ['--peer', former]);
    return [{ becomes: 'cut', why: `it knows this cluster as "${former}"`, mend: `${forget} && ${connect}` }];
  }
  const deployment = apiserverDeployment(snapshot);
  return [...idEffects(snapshot, deployment), ...sizeEffects(snapshot, deployment)];
}

/** All members must agree on it: it fixes how identities are laid out. */
function sizeEffects({ ciliumConfig = {} }: ClusterSnapshot, deployment: KubeObject | undefined): Effect[] {
  const [size, next] = [sizeOf(deployment), identityOf(ciliumConfig).maxConnectedClusters];
  if (size === undefined || size === next) return [];
  const why = `max-connected-clusters was ${size} and becomes ${next}, and all clusters of a mesh need the same`;
  return [{ becomes: 'unknown', why }];
}

function idEffects(snapshot: ClusterSnapshot, deployment: KubeObject | undefined): Effect[] {
  const id = podIdentity(deployment)?.id ?? snapshot.servedId;
  const next = Number(snapshot.ciliumConfig?.['cluster-id'] ?? 0);
  if (id === undefined || id === next) return [];
  return [{ becomes: 'unknown', why: `this cluster's id was ${id} and becomes ${next}` }];
}
