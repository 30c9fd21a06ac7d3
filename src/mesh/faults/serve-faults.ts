import { giveAccessCommand, missingAccess } from '../apiserver/access.ts';
import {
  availableReplicasOf,
  isRolledOut,
  makesRemoteUsers,
  replicasOf,
  runsKvstoremesh,
  scaleUpCommand,
} from '../apiserver/deployment.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import { mendMisfit } from '../apiserver/mend-misfit.ts';
import { misfitsOf } from '../apiserver/misfits.ts';
import { outdatedIdentity, saysOutdated, settleIdentity } from '../apiserver/pod-marks.ts';
import { lackOfRoom } from '../apiserver/room.ts';
import { afterDeletion, refusalOfPods, stallOf } from '../apiserver/stall.ts';
import { authorityState, type EnableObstacles, hasLostSigner, issuesElsewhere } from '../certificates/authority.ts';
import { expiredAuthority, renewAuthorityFirst } from '../certificates/authority-time.ts';
import { completeBundle } from '../certificates/ca-bundle.ts';
import { CERTIFICATE_SECRETS } from '../certificates/cluster-certificates.ts';
import { isForeignAuthority, signingFault, waysToSign } from '../certificates/foreign-authority.ts';
import { handOn, reissueAdvice } from '../certificates/reissue.ts';
import { misnamedAgents, saysMisnamed } from '../cilium/agent-identity.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import { kvstoreRefusal, servesFromKvstore } from '../cilium/kvstore.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { unfinishedDisable } from '../enable/unfinished-disable.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import {
  ADMIN_CERT_SECRET,
  APISERVER,
  apiserverDeploymentRef,
  apiserverServiceRef,
  CA_SECRET,
  CILIUM_CONFIG,
  LOCAL_CERT_SECRET,
  localUserName,
  SERVER_CERT_SECRET,
  secretRef,
} from '../objects/names.ts';
import { foreignOwner } from '../objects/ownership.ts';
import { expectedPeers } from '../peers/peers.ts';
import { ownerOfData } from '../rotation/rotated-cluster.ts';
import { certificateFault, type FoundInCertificate } from './certificate-fault.ts';
import { certificatesNamed } from './dial-faults.ts';
import type { Fault, FaultsInput, ServeFaultId } from './fault.ts';
import { mendOf } from './fault-advice.ts';
import { servesFromElsewhere, strangeToServer } from './server-issuer.ts';
import { userFaults } from './user-faults.ts';

/** What is wrong with what a cluster serves its peers and its own agents with. Where Cluster Mesh is not enabled, only if others dial it. */
export function serveFaults(snapshot: ClusterSnapshot, input: FaultsInput): Fault[] {
  const deployment = apiserverDeployment(snapshot);
  // Its peers dial the kvstore itself.
  if (servesFromKvstore(snapshot)) return [];
  const { signing, ...obstacles } = enableObstacles(snapshot, input.now, input.others);
  const faults = !deployment
    ? absenceFaults(snapshot, input)
    : [
        ...serviceFaults(snapshot),
        ...misfitFaults(snapshot, deployment),
        ...replicaFaults(snapshot, deployment),
        ...accessFaults(snapshot, deployment),
        ...identityFaults(snapshot, input),
        ...certificateFaults(snapshot, deployment, input),
        ...authorityFaults(snapshot, input),
        ...(makesRemoteUsers(deployment) ? userFaults(snapshot, input) : []),
      ];
  const { caExpired, kvstore, unfinished } = obstacles;
  // The CA comes back first.
  const ways = caExpired || kvstore || unfinished ? undefined : signing;
  const isEnabled = (fault: Fault) =>
    mendOf(fault, new Map()) === meshctlCommand('clustermesh enable', { context: snapshot.context });
  return faults.map((fault) => ({
    ...fault,
    ...obstacles,
    ...(ways !== undefined && isEnabled(fault) ? { hint: ways } : {}),
  }));
}

/**
 * Why `enable` alone would be refused by a cluster.
 * @param others other clusters, as far as they were read
 */
export function enableObstacles(
  snapshot: ClusterSnapshot,
  now: Date,
  others: readonly ClusterSnapshot[] = [],
): EnableObstacles {
  const { caBundle } = snapshot;
  const unfinished = unfinishedDisable(snapshot);
  const kvstore = kvstoreRefusal(snapshot);
  const needsOne = () => certificateFaults(snapshot, apiserverDeployment(snapshot), { now }).length > 0;
  return {
    ...(hasLostSigner(snapshot) && needsOne() ? { unsigned: true, signing: waysToSign(snapshot, others) } : {}),
    ...(expiredAuthority(snapshot, now) !== undefined && needsOne() ? { caExpired: true } : {}),
    ...(caBundle ? { caBundle: { object: caBundle.object } } : {}),
    ...(kvstore ? { kvstore } : {}),
    ...(unfinished ? { unfinished } : {}),
  };
}

type Told = Pick<Fault, 'says' | 'object' | 'peers' | 'hint'> & {
  outage?: boolean;
  key?: string;
  peer?: string;
};

function faultFor({ context, namespace }: ClusterSnapshot, id: ServeFaultId, { outage = true, ...told }: Told): Fault {
  return { id, context, namespace, component: 'apiserver', outage, ...told };
}

/** Others that dial a cluster find nobody: one that has peers of its own has lost its server, else it has left the mesh. */
function absenceFaults(snapshot: ClusterSnapshot, { others = [] }: FaultsInput): Fault[] {
  if (snapshot.unread?.has(keyOf(apiserverDeploymentRef(snapshot.namespace)))) return [];
  const own = clusterNameOf(snapshot);
  const peers = others.filter((other) => expectedPeers(other).includes(own)).map(clusterNameOf);
  if (peers.length === 0) return [];
  const object = `Deployment ${APISERVER}`;
  if (expectedPeers(snapshot).length > 0) {
    return [faultFor(snapshot, 'apiserver-missing', { object, says: 'its clustermesh-apiserver is missing' })];
  }
  const says = `Cluster Mesh is not enabled there, and ${peers.join(', ')} ${peers.length === 1 ? 'dials' : 'dial'} it`;
  return [faultFor(snapshot, 'mesh-disabled', { object, says, peers })];
}

function serviceFaults(snapshot: ClusterSnapshot): Fault[] {
  const key = keyOf(apiserverServiceRef(snapshot.namespace));
  const live = snapshot.objects.get(key);
  const isGoing = live?.metadata.deletionTimestamp !== undefined;
  if ((live && !isGoing) || snapshot.unread?.has(key)) return [];
  const object = `Service ${APISERVER}`;
  if (!isGoing)
    return [faultFor(snapshot, 'service-missing', { object, says: 'its clustermesh-apiserver has no Service' })];
  const says = 'the Service of its clustermesh-apiserver is being deleted';
  return [
    faultFor(snapshot, 'service-missing', { object, says, hint: afterDeletion(snapshot, `service/${APISERVER}`) }),
  ];
}

/** Deployment and Service are there, and do not do for anybody as they are. */
function misfitFaults(snapshot: ClusterSnapshot, deployment: KubeObject): Fault[] {
  return misfitsOf(apiserverService(snapshot), deployment).map((misfit) => {
    const { id, says, object } = misfit;
    const told = { says, object: `${object.kind} ${object.metadata.name}`, hint: mendMisfit(snapshot, misfit) };
    const fault = faultFor(snapshot, id, told);
    return id === 'kvstoremesh-missing' ? { ...fault, component: 'kvstoremesh' } : fault;
  });
}

function replicaFaults(snapshot: ClusterSnapshot, deployment: KubeObject): Fault[] {
  const object = `Deployment ${APISERVER}`;
  const wanted = replicasOf(deployment) ?? 1;
  if (wanted === 0) {
    const hint = scaleUpCommand(snapshot, deployment);
    return [
      faultFor(snapshot, 'apiserver-scaled-down', { object, says: 'its clustermesh-apiserver is scaled to 0', hint }),
    ];
  }
  const available = availableReplicasOf(deployment);
  if (deployment.metadata.deletionTimestamp) {
    const { says = '', hint } = stallOf(snapshot, deployment) ?? {};
    return [
      faultFor(snapshot, 'apiserver-rollout', {
        object,
        says: `its clustermesh-apiserver is going away: ${says}`,
        hint,
      }),
    ];
  }
  if (available > 0) {
    const isLacking = misfitsOf(undefined, deployment).length > 0;
    if (isLacking || isRolledOut(deployment)) return [];
    const says = 'its clustermesh-apiserver is not fully rolled out';
    const stall = stallOf(snapshot, deployment) ?? refusalOfPods(snapshot, deployment);
    const told = stall
      ? { says: `${says}: ${stall.says}`, hint: stall.hint }
      : withoutRoom(snapshot, `${says}: a new pod is not ready`);
    return [faultFor(snapshot, 'apiserver-rollout', { object, ...told })];
  }
  const whose = wanted === 1 ? 'the only replica' : `none of the ${wanted} replicas`;
  const says = `${whose} of its clustermesh-apiserver is ${wanted === 1 ? 'not ready' : 'ready'}`;
  const refusal = refusalOfPods(snapshot, deployment);
  const told = refusal ? { says: `${says}: ${refusal.says}`, hint: refusal.hint } : withoutRoom(snapshot, says);
  return [faultFor(snapshot, 'apiserver-not-ready', { object, ...told })];
}

/** Pods that are not ready because no node takes them become so by that. */
function withoutRoom(snapshot: ClusterSnapshot, says: string): Pick<Told, 'says' | 'hint'> {
  const lack = lackOfRoom(snapshot);
  return lack
    ? { says: `${says}, and no node takes a new one (${lack.reasons.join('; ')})`, hint: lack.hint }
    : { says };
}

/** Pods go on with what they were let read; new ones are not made, or have nothing to serve. */
function accessFaults(snapshot: ClusterSnapshot, deployment: KubeObject): Fault[] {
  const missing = missingAccess(snapshot, deployment) ?? [];
  const [first] = missing;
  if (!first) return [];
  const lost = missing.map(({ kind, isEmptied }) => (isEmptied ? `rights in its ${kind}` : kind)).join(' and ');
  const says = `its clustermesh-apiserver has lost its ${lost}: a new pod could read nothing to serve`;
  const hint = giveAccessCommand(snapshot, deployment, missing);
  return [faultFor(snapshot, 'access-missing', { object: `${first.kind} ${first.name}`, says, hint })];
}

/** What runs has the name and id of its start, and so have its certificates, and the peers that know it. */
function identityFaults(snapshot: ClusterSnapshot, { others, agents }: FaultsInput): Fault[] {
  const outdated = outdatedIdentity(snapshot, others);
  if (!outdated) return [];
  const misnamed = misnamedAgents(snapshot, agents);
  const says = `its clustermesh-apiserver ${saysOutdated(outdated)}${misnamed ? `; ${saysMisnamed(misnamed)}` : ''}`;
  const hint = settleIdentity(snapshot, others, agents);
  return [faultFor(snapshot, 'identity-outdated', { object: `ConfigMap ${CILIUM_CONFIG}`, says, hint })];
}

function certificateFaults(
  snapshot: ClusterSnapshot,
  deployment: KubeObject | undefined,
  { now, others }: FaultsInput,
): Fault[] {
  const { tlsFiles, unread, namespace } = snapshot;
  if (!tlsFiles) return [];
  const named = certificatesNamed(snapshot);
  // Without KVStoreMesh there is no cache for which agents would need one.
  const used = CERTIFICATE_SECRETS.filter((name) => name !== LOCAL_CERT_SECRET || runsKvstoremesh(deployment));
  const isElsewhere = servesFromElsewhere(snapshot);
  // The certificates that it would refuse are as they should be.
  const server = isElsewhere ? undefined : tlsFiles.get(SERVER_CERT_SECRET);
  const isLost = hasLostSigner(snapshot);
  const faults = used.flatMap((name): Fault[] => {
    if (unread?.has(keyOf(secretRef(namespace, name)))) return [];
    const outage = [SERVER_CERT_SECRET, ADMIN_CERT_SECRET].includes(name) || named.has(name);
    const what = `the ${/-([a-z]+)-cert$/.exec(name)?.[1] ?? 'own'} certificate`;
    const isServer = name === SERVER_CERT_SECRET;
    const fault =
      certificateFault(
        { what, use: isServer ? 'server' : 'client' },
        tlsFiles.get(name),
        isServer ? undefined : server,
        now,
      ) ??
      (isServer && isElsewhere ? FROM_ELSEWHERE : undefined) ??
      strangerFault(snapshot, name) ??
      (name === LOCAL_CERT_SECRET && named.has(name) ? ofAnother(snapshot) : undefined);
    if (!fault) return [];
    const { lacking, ...found } = fault;
    // Of what somebody else makes, enable is not the way to a new one.
    const secret = snapshot.objects.get(keyOf(secretRef(namespace, name)));
    // Nor of what somebody put over meshctl's own.
    const isForeign = (ownerOfData(secret) ?? handOn(secret)) !== undefined;
    const canReissue = !isLost || issuesElsewhere(snapshot, name);
    const renewed =
      found.id === 'certificate-expired'
        ? renewAuthorityFirst(snapshot, snapshot.tlsSecrets.get(name), now, others)
        : undefined;
    const completed = lacking && completeBundle(lacking, snapshot);
    const hint = completed ?? renewed ?? (isForeign && canReissue ? reissueAdvice(snapshot, [name]) : undefined);
    const mend = hint === undefined ? {} : { hint };
    return [faultFor(snapshot, found.id, { ...found, ...mend, object: `Secret ${name}`, outage })];
  });
  // What a bundle lacks, each certificate of that CA tells.
  return faults.filter(({ says }, at) => faults.findIndex((one) => one.says === says) === at);
}

/**
 * The certificate by which agents log in to their own cache, where it is that of another cluster: etcd has a user for its own cluster
 * alone (Cilium's pkg/kvstore/etcdinit), and takes it from the common name. Under which name etcd runs is told by itself.
 */
function ofAnother(snapshot: ClusterSnapshot): FoundInCertificate | undefined {
  const user = snapshot.tlsSecrets.get(LOCAL_CERT_SECRET)?.certificate.commonName ?? '';
  const own = localUserName(clusterNameOf(snapshot));
  if (!user.startsWith(localUserName('')) || user === own || outdatedIdentity(snapshot)) return undefined;
  const says = `the local certificate is for the user "${user}", not "${own}"`;
  return { id: 'certificate-usage', says, key: 'tls.crt' };
}

/** A certificate of the cluster's own programs beside which the CA of its server's is missing. */
function strangerFault(snapshot: ClusterSnapshot, name: string): FoundInCertificate | undefined {
  const says = strangeToServer(snapshot, name);
  return says === undefined ? undefined : { id: 'certificate-issuer', says, key: 'ca.crt' };
}

const FROM_ELSEWHERE: FoundInCertificate = {
  id: 'certificate-issuer',
  says: "the server certificate is from a different CA than this cluster's: no peer trusts it, and it lets no peer in",
  key: 'tls.crt',
};

/** Known only where it was read. A cluster whose certificates others issue needs no CA of its own. */
function authorityFaults(snapshot: ClusterSnapshot, { others }: FaultsInput): Fault[] {
  const { ca, objects, namespace, tlsFiles, unread } = snapshot;
  if (!tlsFiles || unread?.has(keyOf(secretRef(namespace, CA_SECRET)))) return [];
  const server = objects.get(keyOf(secretRef(namespace, SERVER_CERT_SECRET)));
  const object = `Secret ${CA_SECRET}`;
  const signing = signingFault(snapshot, others);
  const ways = signing ? { hint: signing.ways } : {};
  if (ca) {
    // Without any key, it is kept elsewhere on purpose.
    if (!signing) return [];
    if (isForeignAuthority(snapshot)) {
      const says = `it ${signing.says}: nothing that is issued from it would be trusted`;
      return [faultFor(snapshot, 'ca-foreign', { object, says, outage: false, hint: signing.ways })];
    }
    const what = ca.keyIsEmpty ? 'is empty' : 'is unreadable or belongs to a different CA';
    const says = `the private key of the CA ${what}: nothing can be renewed`;
    return [faultFor(snapshot, 'ca-key', { object, key: 'ca.key', says, outage: false, ...ways })];
  }
  // What is in that Secret is none of the mesh's then.
  if (authorityState(snapshot) === 'elsewhere') return [];
  if (objects.has(keyOf(secretRef(namespace, CA_SECRET)))) {
    const what =
      authorityState(snapshot) === 'empty' ? 'there is no CA certificate in it' : 'the CA certificate cannot be read';
    const says = `${what}: nothing can be renewed`;
    return [faultFor(snapshot, 'ca-unreadable', { object, says, outage: false, ...ways })];
  }
  if (foreignOwner(server)?.startsWith('cert-manager')) return [];
  const says = 'the CA is missing: nothing can be renewed';
  return [faultFor(snapshot, 'ca-missing', { object, says, outage: false, ...ways })];
}
