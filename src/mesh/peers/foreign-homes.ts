import { nameCovers, namesBeside } from '../certificates/cluster-certificates.ts';
import { versionOfAgents } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { changesMoreThanMarks } from '../enable/helm/refused-upgrades.ts';
import { isAppliedByHelm } from '../objects/helm-fields.ts';
import { describeRef, type KubeObject, keyOf, refOf } from '../objects/kube-object.ts';
import { configMapRef, meshHostname, REMOTE_USERS_CONFIGMAP, SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import { managersOfKey, ownerBySync, toolOwner } from '../objects/ownership.ts';
import { dataKeys, secretTexts } from '../objects/secret-data.ts';
import { type JoiningPeer, lastingFields, lastingNames, lastingPeers } from '../objects/source-advice.ts';
import { groupBy } from '../pairs.ts';
import { type Change, FIELD_MANAGER, type Step, TLS_KEYS } from '../plan/plan.ts';
import { peerCertificateKeys, peerOfUser, peersIn } from './file/peer-config.ts';
import { hostsDialled } from './hosts-dialled.ts';
import { configuredPeers, PEER_SECRETS } from './peers.ts';
import { comparePeers, peersBroughtBack } from './rendered-peers.ts';

/**
 * Objects of peers that a tool (Helm, Argo CD, Flux) makes from a source of its own: what connect writes into them lasts
 * until the tool's next sync, unless the source has it too. Cilium's chart makes the users and the files from
 * `clustermesh.config.clusters` (templates/clustermesh-apiserver/users-configmap.yaml, templates/clustermesh-config), and the
 * server certificate with names from `clustermesh.apiserver.tls` (tls-helm/server-secret.yaml).
 */
export interface ForeignHome {
  object: KubeObject;
  /** For people: `Helm release cilium`. */
  owner: string;
  /** Keys that meshctl has written last. */
  keys: readonly string[];
  /** Peers that were taken out of it, and that its source still has. */
  broughtBack: readonly string[];
  /** What its source must have, or must not, as the end of a sentence. */
  lasting: string;
}

/** The objects of a cluster that hold peers: those that it lets in, and those that it dials. */
export function peerObjects({ objects, namespace }: ClusterSnapshot): KubeObject[] {
  const users = configMapRef(namespace, REMOTE_USERS_CONFIGMAP);
  const refs = [users, ...PEER_SECRETS.map((name) => secretRef(namespace, name))];
  return refs.flatMap((ref) => objects.get(keyOf(ref)) ?? []);
}

/**
 * Those of a cluster that meshctl has written into, or taken peers out of. Of one whose source is known to have all peers as they are there, nothing is to be
 * told: its next sync changes nothing of them.
 * @param rendered what a tool makes of its source, where that was read
 */
export function foreignHomes(
  snapshot: ClusterSnapshot,
  rendered?: ReadonlyMap<string, KubeObject> | undefined,
): ForeignHome[] {
  const letIn = (snapshot.remoteUsers ?? []).flatMap(({ name }) => peerOfUser(name) ?? []);
  return peerObjects(snapshot).flatMap((object): ForeignHome[] => {
    const owner = ownerBySync(object);
    if (owner === undefined) return [];
    const broughtBack = peersBroughtBack(object, rendered).filter((peer) => isParted(snapshot, object, peer));
    const parted = { object, owner, keys: [], broughtBack };
    const without =
      broughtBack.length > 0
        ? [{ ...parted, lasting: lastingPeers(snapshot.context, object, broughtBack, 'without') }]
        : [];
    const all = dataKeys(object);
    const keys = all.filter((key) => managersOfKey(object, key).includes(FIELD_MANAGER));
    if (keys.length === 0) return without;
    const peers =
      object.kind === 'ConfigMap' ? letIn : peersIn(secretTexts(object)).filter((peer) => keys.includes(peer));
    const isRendered = rendered?.has(keyOf(refOf(object))) ?? false;
    const { missing, different } = comparePeers(object, peers, rendered);
    if (isRendered && missing.length + different.length === 0) return without;
    const lacking = [...missing, ...different];
    const own = lacking.some((peer) => keys.includes(peerCertificateKeys(peer).certificate));
    const isOfCredentials = isRendered ? own : keys.some(isCertificate);
    const lasting = lastingPeers(snapshot.context, object, lacking, isOfCredentials ? 'with-credentials' : 'with');
    const otherwise = different.length > 0 ? `its source has ${different.join(', ')} otherwise than it is there; ` : '';
    return [...without, { object, owner, keys, broughtBack: [], lasting: `${otherwise}${lasting}` }];
  });
}

/** Whether a peer is not meant to be in an object: who is dialled may be one that is not let in, by choice. */
function isParted(snapshot: ClusterSnapshot, object: KubeObject, peer: string): boolean {
  return object.kind !== 'ConfigMap' || !configuredPeers(snapshot).includes(peer);
}

/**
 * The server certificate of a cluster where a tool makes it, meshctl has made the one that is there, and others dial by a name that
 * the tool may not know: they are cut off once it makes its own again.
 * @param all the clusters that were read
 */
export function foreignServer(snapshot: ClusterSnapshot, all: readonly ClusterSnapshot[]): ForeignHome | undefined {
  const { context, namespace, objects, tlsSecrets } = snapshot;
  const object = objects.get(keyOf(secretRef(namespace, SERVER_CERT_SECRET)));
  const owner = toolOwner(object);
  const certificate = tlsSecrets.get(SERVER_CERT_SECRET)?.certificate;
  if (!object || owner === undefined || !certificate) return undefined;
  if (!managersOfKey(object, TLS_KEYS.certificate).includes(FIELD_MANAGER)) return undefined;
  const { dialled, unknown } = hostsDialled(snapshot, all);
  const isDialled = (name: string) => [...dialled.keys()].some((host) => nameCovers(name, host));
  const names = namesBeside(certificate, namespace).filter((name) => unknown.length > 0 || isDialled(name));
  const lasting =
    names.length > 0 ? lastingNames({ context, agents: versionOfAgents(snapshot.agent) }, object, names) : undefined;
  return lasting === undefined ? undefined : { object, owner, keys: [TLS_KEYS.certificate], broughtBack: [], lasting };
}

const isCertificate = (key: string) => key.endsWith(peerCertificateKeys('').certificate);

function howNamed(changes: readonly Change[]): 'with' | 'with-credentials' {
  return changes.some(({ path, to }) => to !== undefined && isCertificate(path)) ? 'with-credentials' : 'with';
}

/** Whom the changes of an object of peers are about. */
function peersOfChanges(changes: readonly Change[]): string[] {
  const peers = changes.flatMap(({ path }) => {
    const hostname = /\.hostAliases\[(.+)\]$/.exec(path)?.[1];
    if (hostname !== undefined) return hostname.replace(meshHostname(''), '');
    const user = /^data\.users\.yaml\[(.+)\]$/.exec(path)?.[1];
    return (user === undefined ? /^data\.([^.]+)(\.etcd-client.*)?$/.exec(path)?.[1] : peerOfUser(user)) ?? [];
  });
  return [...new Set(peers)];
}

/** `; made by Helm release cilium`, for the reason of a step that writes into what a tool makes. */
export function ownerClause(before: KubeObject | undefined): string {
  const owner = toolOwner(before);
  return owner === undefined ? '' : `; ${owner} makes this object`;
}

const hasData = (object: KubeObject | undefined) => object?.kind === 'Secret' || object?.kind === 'ConfigMap';

/** What becomes of a change in what a tool makes. Of what Helm applies server-side, it sets nothing that others have set. */
function fate(before: KubeObject, isParted: boolean): string {
  return isAppliedByHelm(before) && !isParted
    ? 'whose next upgrade is refused where it makes this otherwise, or with --force-conflicts undoes it'
    : 'whose next sync may undo this';
}

/**
 * What to tell of the steps that write into what a tool makes, with what its source must have.
 * @param parted of a plan that takes peers out: whom, by context
 * @param joining the clusters of a plan that lets them in
 */
export function foreignHomeNotes(
  steps: readonly Step[],
  parted?: ReadonlyMap<string, readonly string[]>,
  joining: readonly JoiningPeer[] = [],
): string[] {
  return steps.flatMap(({ cluster, action, object, before, changes, why, write }) => {
    const owner = hasData(before) ? ownerBySync(before) : toolOwner(before);
    // No source has the marks, and a sync leaves what it does not have.
    if (!changesMoreThanMarks({ action, changes }) || !before || owner === undefined) return [];
    const [made] = object.name === SERVER_CERT_SECRET && write?.method === 'issue' ? write.certificates : [];
    const peers = peersOfChanges(changes);
    const lasting = made
      ? lastingNames({ context: cluster }, before, namesBeside(made.spec, object.namespace ?? ''))
      : parted
        ? lastingPeers(cluster, before, parted.get(cluster) ?? [], 'without')
        : lastingPeers(
            cluster,
            before,
            peers,
            howNamed(changes),
            joining.filter(({ name }) => peers.includes(name)),
          );
    if (lasting === undefined) return [];
    return [
      `context "${cluster}": ${describeRef(refOf(before))} is made by ${owner}, ${fate(before, parted !== undefined)} (${why.split(';')[0]}) → ${lasting}`,
    ];
  });
}

/**
 * What to tell of other objects that a tool makes and whose fields are meshctl's all the same: one note for each owner. Fields
 * that are the tool's are conflicts, which are told by themselves.
 * @param helmValues what prints the values of the chart as this run makes a cluster, as the end of a sentence
 * @param byHelm what has Helm do the same in a cluster; absent of a run that Helm cannot do
 */
export function foreignObjectNotes(
  steps: readonly Step[],
  helmValues = helmValuesNow,
  byHelm?: (context: string) => string,
): string[] {
  const written = steps.flatMap(({ cluster, action, before, changes, conflicts = [] }) => {
    const owner = hasData(before) ? ownerBySync(before) : toolOwner(before);
    if (!before || owner === undefined || conflicts.length > 0) return [];
    // No source has the marks, and a sync leaves what it does not have.
    if (!changesMoreThanMarks({ action, changes })) return [];
    const paths = changes.map(({ path }) => path);
    return [{ cluster, owner, object: before, paths, isRefused: isAppliedByHelm(before) }];
  });
  const keyed = groupBy(written, ({ cluster, owner, isRefused }) => `${cluster} ${owner} ${isRefused}`);
  return [...keyed.values()].flatMap((alike) => {
    const [{ cluster, owner, isRefused } = { cluster: '', owner: '', isRefused: false }] = alike;
    const objects = [...new Set(alike.map(({ object }) => describeRef(refOf(object))))].join(', ');
    const values = helmValues(cluster);
    const lasting = lastingFields(
      alike,
      isRefused && byHelm ? `, or let Helm do it instead: ${byHelm(cluster)}` : values,
    );
    const says = isRefused
      ? `${owner} applies ${objects} server-side, and its next upgrade that makes them otherwise is refused for conflicts with "meshctl", unless it has --force-conflicts`
      : `${owner} makes ${objects}, and its next sync may undo this`;
    return [`context "${cluster}": ${says}${lasting.length > 0 ? ` → ${lasting.join('; ')}` : ''}`];
  });
}

/** The values of the chart that make a cluster as it is. */
function helmValuesNow(context: string): string {
  return `: ${meshctlCommand('clustermesh helm-values', { context })}`;
}

/** Those of a cluster as a run makes it that has no flags for them: only then they say so. */
export function helmValuesAfterwards(context: string): string {
  return `, as this prints once the run is done${helmValuesNow(context)}`;
}
