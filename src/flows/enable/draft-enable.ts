import { type Templates, templateRefs } from '../../manifests/load.ts';
import { renderClusterMesh } from '../../manifests/render.ts';
import { replicasOf } from '../../mesh/apiserver/deployment.ts';
import { serviceEndpoints } from '../../mesh/apiserver/endpoints.ts';
import { addressNotGiven } from '../../mesh/apiserver/given-address.ts';
import { requireSize } from '../../mesh/apiserver/mesh-size.ts';
import { withFieldRefVersions, withOmittedDefaults } from '../../mesh/apiserver/omitted-defaults.ts';
import { withService } from '../../mesh/apiserver/planned-service.ts';
import { podMarks, requireOwnIdentity, withPodMarks } from '../../mesh/apiserver/pod-marks.ts';
import { requireRolling } from '../../mesh/apiserver/stall.ts';
import { clockHazards } from '../../mesh/certificates/clock-hazards.ts';
import { certificateSpecs } from '../../mesh/certificates/cluster-certificates.ts';
import {
  type AuthorityPlan,
  authorityWarnings,
  type GivenAuthority,
  planAuthority,
  replacementNotes,
} from '../../mesh/certificates/plan-authority.ts';
import { requireCiliumEndpoints } from '../../mesh/cilium/cilium-endpoints.ts';
import { type ClusterIdentity, requireIdentity } from '../../mesh/cilium/identity.ts';
import { type CiliumInstall, readCiliumInstall } from '../../mesh/cilium/install.ts';
import { type CiliumVersion, formatVersion } from '../../mesh/cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { counted } from '../../mesh/counted.ts';
import { caFingerprint, keptUnsigned, requireBundled } from '../../mesh/enable/certificates.ts';
import { enableEffects } from '../../mesh/enable/effects/effects.ts';
import { usersToRestore } from '../../mesh/enable/effects/lost-users.ts';
import { openedAccess } from '../../mesh/enable/effects/opened-access.ts';
import { type PeerMove, planMove } from '../../mesh/enable/effects/peer-move.ts';
import { uncoveredWarnings } from '../../mesh/enable/effects/uncovered-addresses.ts';
import { whoMayStandOn } from '../../mesh/enable/effects/who-stands-on-it.ts';
import { withIpv6Annotations } from '../../mesh/enable/exposure/ipv6-annotations.ts';
import { releaseOf } from '../../mesh/enable/helm/hand-over.ts';
import { refusedUpgrades } from '../../mesh/enable/helm/refused-upgrades.ts';
import { peersOfRelease, type ReleasePeer } from '../../mesh/enable/helm/release-peers.ts';
import { replacedCredentials } from '../../mesh/enable/helm/replaced-credentials.ts';
import { refuseHiddenChoices } from '../../mesh/enable/hidden-choices.ts';
import { idleLifetime } from '../../mesh/enable/idle-lifetime.ts';
import { digestGivenUp, withImageNoted } from '../../mesh/enable/kept-image.ts';
import { keptOfOthers } from '../../mesh/enable/kept-of-others.ts';
import { notedReplicas, withReplicasNoted } from '../../mesh/enable/kept-replicas.ts';
import { choicesToNote, ignoredInNote, lostService, withServiceNoted } from '../../mesh/enable/kept-service.ts';
import { unreadSettings } from '../../mesh/enable/kept-settings.ts';
import { applySettings, type FieldChoices, idleUnsets, withoutSettings } from '../../mesh/enable/object-settings.ts';
import { planEnable } from '../../mesh/enable/plan-enable.ts';
import {
  type EnableChoices,
  type EnableSettings,
  lostChoices,
  settleEnable,
  settleImage,
} from '../../mesh/enable/settings.ts';
import { beingDisabled, requireDisabled } from '../../mesh/enable/unfinished-disable.ts';
import { type KubeObject, keyOf, objectIn, refOf } from '../../mesh/objects/kube-object.ts';
import {
  apiserverDeploymentRef,
  apiserverServiceRef,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_USERS_CONFIGMAP,
} from '../../mesh/objects/names.ts';
import { enforcedLevel } from '../../mesh/objects/pod-security.ts';
import { concernedPeers } from '../../mesh/peers/concerned-peers.ts';
import { requireRoom } from '../../mesh/peers/file/planned-room.ts';
import { withoutNamesakes } from '../../mesh/peers/namesakes.ts';
import { saysUnreadMarks } from '../../mesh/peers/unread-choices.ts';
import { addUsersEdit } from '../../mesh/peers/users/remote-users.ts';
import type { Hazard } from '../../mesh/plan/agreement.ts';
import { requireStaying } from '../../mesh/plan/going.ts';
import { mergeEffects, type PeerEffect } from '../../mesh/plan/peer-effects.ts';
import type { CertificateOrder, Plan } from '../../mesh/plan/plan.ts';
import {
  type UnfinishedRotation,
  unfinishedRotation,
  unfinishedWarning,
} from '../../mesh/rotation/unfinished-rotation.ts';
import type { Authority } from '../../pki/authority.ts';
import { readReleaseValues } from '../../snapshot/helm-release.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import type { Flow, Target } from '../flow.ts';
import { withDisablingRun, withRotatingRun } from '../read-runs.ts';
import { enableWarnings, portOfPeer, settingNotes, unservedWarnings, usersDoubts } from './draft-warnings.ts';
import { withWhatRuns } from './what-runs.ts';

export interface EnableOptions extends EnableChoices, FieldChoices {
  ciliumVersion?: CiliumVersion | undefined;
  image?: string | undefined;
  /** A CA that the operator brings along, with its key. */
  givenAuthority?: (GivenAuthority & { authority: Authority }) | undefined;
  replaceAuthority?: boolean | undefined;
  /** Of the certificates that are issued. */
  issuing?: Pick<CertificateOrder, 'validityMs' | 'keySize'> | undefined;
  /** What cilium-config must say, where the operator relies on it. */
  maxConnectedClusters?: number | undefined;
  /** Take over fields that other managers own. */
  force?: boolean | undefined;
  /** Take back what somebody set by hand in objects that are meshctl's own: then a file is what holds. */
  overruleHands?: boolean | undefined;
  /** Helm carries it out, by the chart's values: what the chart does to peers counts, too. */
  byHelm?: boolean | undefined;
  /** It is handed the values by this run, with the certificates that the release's own have for peers. */
  handsTo?: { release?: string | undefined } | undefined;
  /** Other clusters, as far as they were read: who dials this one, and as whom. */
  others?: readonly ClusterSnapshot[] | undefined;
  /** This run's command line with --force-conflicts, for hints about one cluster, by its context: the others have no part in it. */
  forcing?: ((context: string) => string) | undefined;
  /** Whether the same command can have Helm do it, with --via-helm. */
  viaHelm?: boolean | undefined;
  /** The same without --replace-ca: for a run that goes on with the CA that this one has made. */
  withoutReplacing?: ((context: string) => string) | undefined;
  /** The same with more words. */
  again?: ((context: string, ...words: readonly string[]) => string) | undefined;
  /** Has warnings name the contexts of peers that were not read. */
  naming?: ((warnings: readonly string[]) => Promise<readonly string[]>) | undefined;
  /** For the load balancer's address and for the pods, each. */
  waitMs: number;
}

/** What enable would do in one cluster, and what it was made from. */
export interface EnableDraft {
  snapshot: ClusterSnapshot;
  /** The cluster with its Service as it will be. */
  planned: ClusterSnapshot;
  identity: ClusterIdentity;
  install: CiliumInstall;
  settings: EnableSettings;
  authority: AuthorityPlan;
  plan: Plan;
  /** The peers' files go over to other diallers. */
  move: PeerMove | undefined;
  /** What becomes of the connections with known peers. */
  effects: readonly PeerEffect[];
  /** In the middle of which the CA is, or may be. */
  rotation: UnfinishedRotation | undefined;
  /** What may become of others that nobody can name: it is agreed to, as a cut is. */
  doubts: readonly string[];
  /** Whom it lets in who could not dial this cluster until now, and what it keeps Helm from. */
  hazards: readonly Hazard[];
  warnings: readonly string[];
  /** Those of them that hang on the addresses and ports of the Service, some of which are known only once it is there. */
  ofAddress: readonly string[];
  /** How the plan came about, for people. */
  notes: readonly string[];
  /** Peers whose certificates are among the release's own values, to be handed to Helm again. Never for output. */
  releasePeers: readonly ReleasePeer[];
}

/** Reads the cluster and plans. Writes nothing. */
export async function draftEnable(
  flow: Flow,
  target: Target,
  templates: Templates,
  options: EnableOptions,
): Promise<EnableDraft> {
  const { client, namespace } = target;
  const refs = templateRefs(templates, namespace);
  const read = await readSnapshot(client, { namespace, purpose: 'enable', refs });
  const snapshot = await withDisablingRun(flow, target, await withRotatingRun(flow, target, read));
  const release = options.handsTo && releaseOf(snapshot, options.handsTo.release);
  const releasePeers = release ? peersOfRelease(await readReleaseValues(client, namespace, release)) : [];
  return draftFrom(await withWhatRuns(flow, target, snapshot), templates, options, flow.now(), releasePeers);
}

/** The plan, which is a function of what was read. */
export function draftFrom(
  snapshot: ClusterSnapshot,
  templates: Templates,
  options: EnableOptions,
  now: Date,
  releasePeers: readonly ReleasePeer[] = [],
): EnableDraft {
  const others = withoutNamesakes(snapshot, options.others ?? []);
  const standing = whoMayStandOn(snapshot, others);
  const { namespace } = snapshot;
  const possible = templateRefs(templates, namespace);
  const identity = requireIdentity(snapshot);
  requireCiliumEndpoints(snapshot);
  requireDisabled(snapshot);
  requireOwnIdentity(snapshot, concernedPeers(snapshot, others), others);
  requireSize(snapshot, options.maxConnectedClusters);
  const install = readCiliumInstall(snapshot, {
    inFile: options.inFile,
    version: options.ciliumVersion,
    apiserverImage: options.image,
  });
  const chosen = {
    ...snapshot,
    objects: new Map([...snapshot.objects].map(([key, object]) => [key, withoutSettings(object)])),
  };
  const settings = settleEnable(chosen, identity, options);
  const choice = {
    given: options.givenAuthority,
    inFile: options.inFile,
    replace: options.replaceAuthority,
    keySize: options.issuing?.keySize,
  };
  const authority = planAuthority(snapshot, choice, others);
  const { exposure, ...values } = settings;
  const image = settleImage(chosen, options.image, install.apiserverImage, install.version);
  const unmarked = renderClusterMesh(templates, {
    ...values,
    ciliumVersion: install.version,
    image,
    namespace,
    clusterName: identity.name,
    maxConnectedClusters: identity.maxConnectedClusters,
    settings: install.settings,
    serviceType: exposure.type,
    serviceAnnotations: exposure.annotations,
    restricted: enforcedLevel(snapshot) === 'restricted',
  });
  const liveOf = (object: KubeObject) => snapshot.objects.get(keyOf(refOf(object)));
  const whole = withFieldRefVersions(
    withUsers(withImageNoted(unmarked, install.version), usersToRestore(snapshot, standing)),
  );
  const rendered = withOmittedDefaults(whole, liveOf);
  const lost = lostService(snapshot);
  const live = {
    context: snapshot.context,
    of: (object: KubeObject) => liveOf(object) ?? objectIn(lost ? [lost] : [], refOf(object)),
  };
  const { again } = options;
  refuseHiddenChoices(rendered, options, live, again && ((...words) => again(snapshot.context, ...words)));
  const applied = applySettings(rendered, options, live);
  const told = withIpv6Annotations(applied, withRenderedService(snapshot, applied));
  const set = withReplicasNoted(
    withServiceNoted(told, namespace, choicesToNote(withRenderedService(chosen, applied), identity, settings, options)),
    options.replicas ?? notedReplicas(snapshot),
  );
  const planned = withRenderedService(snapshot, set);
  const certificates = certificateSpecs({
    clusterName: identity.name,
    namespace,
    serviceAddresses: serviceEndpoints(planned)?.hosts ?? [],
    kvstoremesh: settings.kvstoremesh,
    tlsSecrets: snapshot.tlsSecrets,
  });
  const ca = caFingerprint({ snapshot, planned, authority, certificates, now });
  const marks = podMarks({ snapshot, identity, certificates, ca, replacesCa: authority.replaces, now });
  const objects = withPodMarks(set, marks);
  const { issuing, force = false, overruleHands } = options;
  const own = objects.find(({ metadata }) => metadata.name === KVSTOREMESH_PEERS_SECRET);
  const move = planMove(snapshot, settings.kvstoremesh, own);
  const made = { snapshot, planned, objects, certificates, authority, move, possible };
  const plan = planEnable({ ...made, issuing, force, overruleHands, now });
  requireStaying(plan.steps, [snapshot]);
  requireRoom(plan.steps, [snapshot]);
  requireBundled(snapshot, authority, plan.steps);
  requireRolling(snapshot, plan.steps);
  const rotation = unfinishedRotation(snapshot, others);
  const ofAddress = [
    ...keptUnsigned(plan.steps),
    ...uncoveredWarnings({ snapshot, planned, steps: plan.steps }),
    ...portOfPeer(snapshot, settings),
    ...unservedWarnings(planned),
  ];
  return {
    snapshot,
    planned,
    identity,
    install,
    settings,
    authority,
    plan,
    move,
    effects: mergeEffects([
      ...enableEffects({
        ...{ snapshot, planned, authority, steps: plan.steps, rendered, objects, move },
        ...{ others: standing, all: options.others },
      }),
      ...(options.byHelm ? replacedCredentials(snapshot, install, others, releasePeers) : []),
    ]),
    rotation,
    doubts: usersDoubts(snapshot, plan.steps),
    hazards: [
      ...openedAccess(snapshot, plan.steps),
      ...(options.byHelm ? [] : refusedUpgrades(snapshot, plan.steps)),
      ...clockHazards({ snapshots: [snapshot, ...others], steps: plan.steps, now }),
    ],
    warnings: [
      ...(rotation?.isProven ? [unfinishedWarning(rotation, snapshot, others)] : []),
      ...beingDisabled(snapshot),
      ...authorityWarnings(snapshot, authority, others),
      ...ofAddress,
      ...[
        addressNotGiven(planned),
        ignoredInNote(snapshot),
        saysUnreadMarks(snapshot),
        ...[...snapshot.objects.values()].map(unreadSettings),
        lostChoices(snapshot, options),
        digestGivenUp(chosen, install.version, image, options),
      ].flatMap((says) => says ?? []),
      ...enableWarnings(snapshot, install, settings, objects),
      ...keptOfOthers(chosen, identity, settings, options, { derived: install.apiserverImage, settled: image }),
      ...idleUnsets(rendered, options, live),
      ...idleLifetime(snapshot, { ...issuing, inFile: options.inFile }, certificates, plan.steps, {
        now,
        others,
        makesCa: authority.makes,
      }),
    ],
    ofAddress,
    notes: [
      `Cilium ${formatVersion(install.version)}, ${counted(replicasOf(objectIn(objects, apiserverDeploymentRef(namespace))) ?? settings.replicas, 'replica')}, KVStoreMesh ${settings.kvstoremesh ? 'on' : 'off'}`,
      `Service type ${exposure.type}: ${exposure.evidence.join('; ')}`,
      ...settingNotes(objects, options),
      ...(authority.replaces ? replacementNotes() : []),
    ],
    releasePeers,
  };
}

/** The ConfigMap of the users with these in it, for a cluster that has lost it. */
function withUsers(objects: readonly KubeObject[], users: readonly string[]): KubeObject[] {
  return objects.map((object) => {
    if (object.kind !== 'ConfigMap' || object.metadata.name !== REMOTE_USERS_CONFIGMAP) return object;
    const edit = addUsersEdit(users)(object);
    return edit && edit !== 'delete' ? { ...object, data: edit.patch.data } : object;
  });
}

function withRenderedService(snapshot: ClusterSnapshot, objects: readonly KubeObject[]): ClusterSnapshot {
  const service = objectIn(objects, apiserverServiceRef(snapshot.namespace));
  return service ? withService(snapshot, service) : snapshot;
}
