import type { CertificateFacts } from '../certificates/certificate.ts';
import type { SecretCertificate } from '../certificates/cluster-certificates.ts';
import { trustedBy } from '../certificates/trust.ts';
import { type AgentIdentity, withAgentsRestarted } from '../cilium/agent-identity.ts';
import { type ClusterIdentity, identityOf, isUsable, restartCommand, shownId, wayBack } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { capital } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { CILIUM_CONFIG, SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import { foreignOwner } from '../objects/ownership.ts';
import { workloadSpec } from '../objects/workload.ts';
import { configuredPeers } from '../peers/peers.ts';
import type { Change } from '../plan/plan.ts';
import { isRolledOut } from './deployment.ts';
import { apiserverDeployment } from './live.ts';
import { POD_CLUSTER_ANNOTATION, podAnnotations, podIdentity, recordedIdentity } from './recorded-identity.ts';

/**
 * Annotations on the pods of the clustermesh-apiserver that name what its programs read only when they start: another
 * value is another template, so the pods are replaced.
 */

/** The CA that etcd has read. */
export const POD_CA_ANNOTATION = 'meshctl.io/ca';
/** When pods were last replaced for their own sake. */
export const POD_RESTART_ANNOTATION = 'meshctl.io/restarted-at';

/** The value of {@link POD_CA_ANNOTATION} for pods that started with these CAs. */
export function caMark(authorities: readonly CertificateFacts[]): string {
  return authorities.map(({ sha256 }) => sha256.slice(0, 16)).join(',');
}

/** The {@link POD_CA_ANNOTATION} of a Deployment's pods, if it has one. */
export function podCaMark(deployment: KubeObject | undefined): string | undefined {
  return podAnnotations(deployment)[POD_CA_ANNOTATION];
}

/**
 * The CAs that etcd was started with where new pods trust none of them, each as {@link caMark} has it: whoever has a
 * certificate of theirs is let in no longer. None where one of them stays, and where no mark tells.
 * @param changes of the Deployment
 */
export function marksGivenUp(changes: readonly Change[]): string[] {
  const change = changes.find(({ path }) => path.endsWith(`.${POD_CA_ANNOTATION}`));
  return change?.from ? lackingIn(String(change.to), String(change.from)) : [];
}

/**
 * Whether etcd was started with other CAs than the ones that are beside its server certificate by now: it presents the new
 * certificate, and lets in who is from the former CA. False where nothing tells.
 */
export function runsWithFormerCa(snapshot: ClusterSnapshot): boolean {
  const mark = podCaMark(apiserverDeployment(snapshot));
  const server = snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  return mark !== undefined && server?.ca !== undefined && lackingIn(caMark(trustedBy(server)), mark).length > 0;
}

/** The CAs of a former mark, where the next one has none of them. */
function lackingIn(next: string, former: string): string[] {
  const [has, had] = [next.split(','), former.split(',')];
  return had.some((one) => has.includes(one)) ? [] : had;
}

/**
 * The name under which the clustermesh-apiserver runs where cilium-config has another by now: by its pods' mark, else by
 * the certificate of its administrator (`admin-<name>`). Undefined where they agree.
 */
export function formerName(snapshot: ClusterSnapshot, { name }: Pick<ClusterIdentity, 'name'>): string | undefined {
  const recorded = recordedIdentity(snapshot).name;
  return recorded === name ? undefined : recorded;
}

/** A clustermesh-apiserver that runs as something else than cilium-config would have it at its next start, in words. */
export interface OutdatedIdentity {
  runs: string;
  wanted: string;
  /** Whose name or id the next one is, as a clause; absent where it is nobody's who was read. */
  taken?: string;
}

/**
 * How a clustermesh-apiserver runs where cilium-config has another name or id by now; undefined where they agree, or nothing
 * tells. Pods that were restarted by others since are not known by their mark.
 * @param others further clusters, as far as they were read
 */
export function outdatedIdentity(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[] = [],
): OutdatedIdentity | undefined {
  if (!snapshot.ciliumConfig) return undefined;
  const { name, id } = identityOf(snapshot.ciliumConfig);
  const former = formerName(snapshot, { name });
  const formerId = podIdentity(apiserverDeployment(snapshot))?.id;
  if (former === undefined && (formerId === undefined || formerId === id)) return undefined;
  const described = (called: string, as: number | string | undefined) =>
    as === undefined ? `"${called}"` : `"${called}" with the id ${as}`;
  const taken = takenFrom(snapshot, others);
  return {
    runs: described(former ?? name, formerId),
    wanted: described(name, shownId(snapshot.ciliumConfig)),
    ...(taken === undefined ? {} : { taken }),
  };
}

function takenFrom(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string | undefined {
  const { name, id } = identityOf(snapshot.ciliumConfig ?? {});
  const owner = (isOwner: (its: ClusterIdentity) => boolean, what: string) => {
    const found = others.find(
      (one) => one.context !== snapshot.context && one.ciliumConfig && isOwner(identityOf(one.ciliumConfig)),
    );
    return found ? [`the ${what} of context "${found.context}"`] : [];
  };
  const owned = [...owner((its) => its.name === name, 'name'), ...owner((its) => its.id === id, 'id')];
  return owned.length === 0 ? undefined : owned.join(' and ');
}

/** `runs as …, and cilium-config says …`, with whose that is. */
export function saysOutdated({ runs, wanted, taken }: OutdatedIdentity): string {
  return `runs as ${runs}, and ${CILIUM_CONFIG} says ${wanted}${taken === undefined ? '' : `, which is ${taken}`}`;
}

/**
 * Refuses a cluster whose certificates would be issued for another name than its programs run with.
 * @param others further clusters, as far as they were read: one of them may have that name
 * @throws MeshctlError `ClusterIdentity`
 */
export function requireSettledIdentity(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[] = []): void {
  const outdated = outdatedIdentity(snapshot, others);
  if (!outdated) return;
  const { context, namespace } = snapshot;
  const message = `context "${context}": its clustermesh-apiserver ${saysOutdated(outdated)}`;
  throw new MeshctlError('ClusterIdentity', message, {
    hint: settleIdentity(snapshot, others),
    details: { context, object: `ConfigMap ${namespace}/${CILIUM_CONFIG}` },
  });
}

/**
 * Refuses a cluster that its peers know by another name than cilium-config has by now: by the one that it says, they would
 * be told to forget somebody else.
 * @throws MeshctlError `ClusterIdentity`
 */
export function requireSettledName(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[] = []): void {
  const { name } = identityOf(snapshot.ciliumConfig ?? {});
  if (formerName(snapshot, { name }) !== undefined) requireSettledIdentity(snapshot, others);
}

/**
 * How a cluster comes to have one name and id again. Where the ones in cilium-config cannot be used, or are another
 * cluster's, there is only the way back.
 * @param others further clusters, as far as they were read
 * @param agents what agents said that were asked: those that were started under another identity are restarted with the way back
 */
export function settleIdentity(
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[] = [],
  agents?: readonly AgentIdentity[],
): string {
  const way = wayBack(snapshot);
  const follow = `make everything follow, and reconnect its peers: ${restartCommand(snapshot)}`;
  if (way === undefined) return follow;
  const back = withAgentsRestarted(way, snapshot, agents);
  return isUsable(snapshot.ciliumConfig) && !hasTakenIdentity(snapshot, others) ? `${back}; or ${follow}` : back;
}

/**
 * The same for a clustermesh-apiserver that was asked and calls itself otherwise. Where no object tells of another name or id,
 * only what runs does: to restart this one alone would part it from agents that were not restarted either.
 * @param others further clusters, as far as they were read
 */
export function settleServed(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): string {
  if (outdatedIdentity(snapshot)) return capital(settleIdentity(snapshot, others));
  const look = meshctlCommand('clustermesh check', { context: snapshot.context }, ['--category', 'identity']);
  return `See which programs run as what, and how to restart those: ${look}`;
}

/**
 * Whether another cluster has the name or the id that this one's cilium-config says, or is known to have the name.
 * @param others further clusters, as far as they were read
 */
export function hasTakenIdentity(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): boolean {
  const { name, id } = identityOf(snapshot.ciliumConfig ?? {});
  const read = others.filter((other) => other.context !== snapshot.context);
  const isAnothers = ({ ciliumConfig }: ClusterSnapshot) => {
    const its = ciliumConfig && identityOf(ciliumConfig);
    return its?.name === name || its?.id === id;
  };
  return read.some(isAnothers) || isOfPeer(snapshot, name, read);
}

/**
 * Whether the next name of a cluster is that of another one, although that was not read: who dials both of its names knows two clusters
 * by them, and the cluster itself knows one by it that has another CA.
 */
function isOfPeer(snapshot: ClusterSnapshot, name: string, others: readonly ClusterSnapshot[]): boolean {
  const former = formerName(snapshot, { name });
  if (former === undefined) return false;
  const [own, its] = [snapshot.ca?.certificate, snapshot.peerCertificates.get(name)?.ca];
  const isKnownApart = own !== undefined && its !== undefined && own.publicKeySha256 !== its.publicKeySha256;
  return isKnownApart || others.some((other) => [former, name].every((one) => configuredPeers(other).includes(one)));
}

/**
 * Refuses a cluster whose cilium-config has got the name or the id of one of its peers: what is written for it would be
 * taken for that peer's, and agents refuse a peer with an id that is in use (Cilium's pkg/clustermesh).
 * @param peers names of the clusters that it dials, or that dial it
 * @throws MeshctlError `ClusterIdentity`, with the way back
 */
export function requireOwnIdentity(
  snapshot: ClusterSnapshot,
  peers: readonly string[],
  others: readonly ClusterSnapshot[],
): void {
  const { context, namespace } = snapshot;
  const { name, id } = identityOf(snapshot.ciliumConfig ?? {});
  const isRenamed = formerName(snapshot, { name }) !== undefined;
  for (const other of others) {
    if (other.context === context || !other.ciliumConfig) continue;
    const its = identityOf(other.ciliumConfig);
    const takesName = isRenamed && its.name === name;
    if (!takesName && !(its.id === id && peers.includes(its.name))) continue;
    // It is the other one that has got what is this one's.
    if (!takesName && wayBack(snapshot) === undefined && wayBack(other) !== undefined) continue;
    const what = takesName ? `the name "${name}"` : `the id ${id}`;
    const whose = `of its peer "${its.name}" (context "${other.context}")`;
    throw new MeshctlError('ClusterIdentity', `context "${context}": cilium-config has ${what} ${whose}`, {
      hint:
        wayBack(snapshot) ??
        `Set a ${takesName ? 'name' : 'cluster-id'} that no other cluster has in it, then: ${restartCommand(snapshot)}`,
      details: { context, object: `ConfigMap ${namespace}/${CILIUM_CONFIG}`, peer: its.name },
    });
  }
}

export interface PodMarksInput {
  snapshot: ClusterSnapshot;
  identity: Pick<ClusterIdentity, 'name' | 'id'>;
  certificates: readonly SecretCertificate[];
  /** Of the CA that etcd will find; undefined while it is yet to be generated. */
  ca: string | undefined;
  replacesCa: boolean;
  now: Date;
}

/**
 * The marks that a cluster's pods shall have. Pods that somebody else's tool describes get one only where they have to be
 * replaced: they would restart for nothing. So would those of a version of meshctl that set no mark of the cluster, where its etcd
 * says that they run as they shall.
 */
export function podMarks(input: PodMarksInput): Readonly<Record<string, string>> {
  const { snapshot, identity, ca = 'new', replacesCa } = input;
  const deployment = apiserverDeployment(snapshot);
  const foreign = foreignOwner(deployment) !== undefined;
  const marksCa = !foreign || replacesCa || podCaMark(deployment) !== undefined;
  const runsAsSaid = snapshot.servedId === identity.id && formerName(snapshot, identity) === undefined;
  const marksCluster =
    podIdentity(deployment) !== undefined || (foreign ? formerName(snapshot, identity) !== undefined : !runsAsSaid);
  const restarted = restartOf(input, deployment);
  return {
    ...(marksCa ? { [POD_CA_ANNOTATION]: ca } : {}),
    ...(marksCluster ? { [POD_CLUSTER_ANNOTATION]: `${identity.name}/${identity.id}` } : {}),
    ...(restarted === undefined ? {} : { [POD_RESTART_ANNOTATION]: restarted }),
  };
}

/** Pods that ended because of a broken certificate would try again with the new one only minutes later. */
function restartOf({ snapshot, certificates, now }: PodMarksInput, deployment: KubeObject | undefined) {
  const broken = certificates.some(
    ({ secret }) =>
      snapshot.objects.has(keyOf(secretRef(snapshot.namespace, secret))) && !hasCertificate(snapshot, secret),
  );
  if (deployment && broken && !isRolledOut(deployment)) return now.toISOString();
  return podAnnotations(deployment)[POD_RESTART_ANNOTATION];
}

/** Whether a Secret holds a certificate with its own key: what a program can start with. */
export function hasCertificate({ tlsSecrets }: ClusterSnapshot, secret: string): boolean {
  return tlsSecrets.get(secret)?.keyMatches ?? false;
}

/** Why the pods are replaced, as a clause; undefined where no mark is among the changes. */
export function reasonToReplacePods(changes: readonly Change[]): string | undefined {
  const REASONS: readonly [annotation: string, reason: string][] = [
    [POD_CLUSTER_ANNOTATION, 'its programs read the name and the id of the cluster only when they start'],
    [POD_CA_ANNOTATION, 'etcd reads its CA only at its start'],
    [POD_RESTART_ANNOTATION, 'its pods could not start with a broken certificate'],
  ];
  const changed = ([annotation]: readonly [string, string]) => changes.some(({ path }) => path.endsWith(annotation));
  return REASONS.find(changed)?.[1];
}

/** Objects of which the Deployment's pods have further annotations. */
export function withPodMarks(objects: readonly KubeObject[], marks: Readonly<Record<string, string>>): KubeObject[] {
  return objects.map((object) => {
    if (object.kind !== 'Deployment') return object;
    const spec = workloadSpec(object);
    const metadata = { ...spec.template?.metadata, annotations: { ...marks, ...spec.template?.metadata?.annotations } };
    return { ...object, spec: { ...spec, template: { ...spec.template, metadata } } };
  });
}
