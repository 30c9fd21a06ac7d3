import { unlessForbidden } from '../../kube/unless-refused.ts';
import { loadTemplates, type Templates, templateRefs } from '../../manifests/load.ts';
import { keptForItself } from '../../mesh/checks/peer-secrets.ts';
import { requireCilium } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { notPeersNotes } from '../../mesh/connect/disconnect/not-peers.ts';
import { counted } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { halfEnabledAmong } from '../../mesh/faults/unready.ts';
import { choicesOfFile } from '../../mesh/file/enable-choices.ts';
import { type ExtraPeers, extraPeers } from '../../mesh/file/extra.ts';
import { scaledDown, type UnservedCluster } from '../../mesh/file/made-elsewhere.ts';
import type { MeshSpec } from '../../mesh/file/mesh-spec.ts';
import { type FileServicesPlan, isOfFile, planExtraServices, planServices } from '../../mesh/file/services.ts';
import { dialledByName, takenPlaces } from '../../mesh/file/taken-places.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { namespaceRef } from '../../mesh/objects/names.ts';
import { type Forcing, isForcedIn } from '../../mesh/plan/forcing.ts';
import { isGoing } from '../../mesh/plan/going.ts';
import { mergeEffects } from '../../mesh/plan/peer-effects.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { describeUnfinished } from '../../mesh/rotation/unfinished-rotation.ts';
import { type Remark, remarkWords } from '../../mesh/services/outlook.ts';
import { serviceKey } from '../../mesh/services/services.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { rememberReads } from '../../snapshot/remember-reads.ts';
import { draftFrom, type EnableDraft, type EnableOptions } from '../enable/draft-enable.ts';
import { concernsOthers } from '../enable/enable.ts';
import { withWhatRuns } from '../enable/what-runs.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { withDisablingRun, withRotatingRun } from '../read-runs.ts';
import type { LostServices } from '../services/read-lost-backends.ts';
import { outlookOf } from '../services/read-outlook.ts';
import { readWithdrawals, type WithOthers } from '../services/read-withdrawals.ts';
import { firstFailure, type Unanswered, whereItSucceeds } from '../where-it-succeeds.ts';
import { afterEnable } from './after-enable.ts';
import type { FileMember } from './file-member.ts';
import { foreseenWarnings } from './foreseen-dials.ts';
import { authoritiesFor } from './given-authorities.ts';
import { requireNames, withoutMisnamed } from './misnamed-members.ts';
import { type MeshConnections, planConnections } from './plan-connections.ts';

export interface FileOptions {
  /** Clusters at a time. */
  parallel: number;
  /** Ids of checks that do not count. */
  skipChecks?: readonly string[] | undefined;
  /** Take over fields that other managers own. */
  force?: Forcing | undefined;
  /** This run's command line with --force-conflicts, for hints. */
  forcing?: EnableOptions['forcing'];
  /** For the load balancers and for the pods, each. */
  waitMs: number;
  /** Clusters that cannot be read are left out, and told. */
  spare?: boolean | undefined;
  /** Reads clusters that are no part of the file, where a plan hangs on what they say. */
  readOthers: () => Promise<readonly ClusterSnapshot[]>;
  /** Opens them, where Services take backends from somebody. */
  withOthers: WithOthers;
  /** What no file names is to go. */
  prune?: boolean | undefined;
}

/** What enable would do in one cluster. */
export interface MemberDraft {
  member: FileMember;
  options: EnableOptions;
  draft: EnableDraft;
}

/** All that clusters lack of what a file wants; nothing is written yet. */
export interface PreparedMesh {
  members: readonly FileMember[];
  /** As connect reads them, in the members' order. */
  snapshots: readonly ClusterSnapshot[];
  /** As enable leaves them, in the same order: what comes after it is planned upon these. */
  enabled: readonly ClusterSnapshot[];
  spec: MeshSpec;
  drafts: readonly MemberDraft[];
  connections: MeshConnections;
  /** Clusters that are to be dialled, scaled to 0, and left so. */
  scaledDown: readonly UnservedCluster[];
  services: FileServicesPlan;
  /** With `prune`: services that no file names are global no longer. */
  extraServices: readonly Step[];
  /** What all of these steps together take from whom, also in clusters that no file has. */
  withdrawals: LostServices;
  /** What comes of the services that it has. */
  remarks: readonly Remark[];
  /** Peers that the file does not have. */
  extra: ExtraPeers;
  /** Clusters that could not be read, with `spare`. */
  unanswered: readonly Unanswered[];
}

/** One cluster in one pass, for both of the commands that would have to read it. */
interface ReadMember {
  member: FileMember;
  /** As enable reads it. */
  enable: ClusterSnapshot;
  /** As connect reads it. */
  connect: ClusterSnapshot;
  services: ReadonlyMap<string, KubeObject>;
  goingNamespaces: ReadonlyMap<string, KubeObject>;
}

/**
 * Reads every cluster of a file once and plans: enable in each, the connections between them, their services.
 * @throws MeshctlError what keeps a cluster from taking part, and `ClusterIdentity` for one that has another name than the file says
 */
export async function prepareMesh(
  flow: Flow,
  all: readonly FileMember[],
  spec: MeshSpec,
  options: FileOptions,
): Promise<PreparedMesh> {
  const templates = await loadTemplates(flow.installation);
  const { done: read, failed } = withoutMisnamed(await readAll(flow, all, spec, templates, options), options);
  requireNames(read);
  const members = read.map(({ member }) => member);
  const drafts = await draftAll(flow, read, templates, options);
  const clusters = read.map((one) => {
    const { member, connect } = one;
    const own = drafts.find((draft) => draft.member === member);
    const settled = own ? afterEnable(connect, own.draft, flow.now()) : connect;
    // One that is not wholly enabled is connected once it is.
    return { ...one, settled, enabled: halfEnabledAmong([connect]).size === 0 ? settled : connect };
  });
  const snapshots = read.map(({ connect }) => connect);
  const planned = await planConnections(
    flow,
    spec,
    clusters.map(({ member, enabled }) => ({ ...member, snapshot: enabled })),
    { ...options, proof: false },
  );
  const foreseen = foreseenWarnings(
    clusters.map(({ settled }) => settled),
    spec,
    planned.later,
    flow.now(),
  );
  const warnings = [...new Set([...planned.now.warnings, ...foreseen])];
  const connections = await withTakenPlaces({ ...planned, now: { ...planned.now, warnings } }, snapshots, options);
  const serviceObjects = read.map(({ member: { target, wanted }, services: own, goingNamespaces }) => ({
    context: target.client.context,
    cluster: wanted.name,
    services: own,
    goingNamespaces,
  }));
  const services = planServices(serviceObjects, spec);
  const extraServices = options.prune ? planExtraServices(serviceObjects, services) : [];
  const targets = members.map(({ target }) => target);
  return {
    members,
    snapshots,
    enabled: clusters.map(({ enabled }) => enabled),
    spec,
    drafts,
    connections,
    scaledDown: scaledDown(
      clusters.map(({ member: { wanted }, enabled }) => ({ name: wanted.name, snapshot: enabled })),
      spec.dials,
    ),
    services,
    extraServices,
    withdrawals: await readWithdrawals(flow, targets, [...services.steps, ...extraServices], options.withOthers),
    remarks: await outlookOf(flow, targets, snapshots, services.steps, options.withOthers),
    extra: extraPeers(snapshots, spec),
    unanswered: failed,
  };
}

/** The connections with what becomes of peers whose place another cluster takes that is to be enabled first. */
async function withTakenPlaces(
  connections: MeshConnections,
  snapshots: readonly ClusterSnapshot[],
  { readOthers }: FileOptions,
): Promise<MeshConnections> {
  const dials = dialledByName(connections.later, snapshots);
  if (dials.length === 0) return connections;
  const taken = takenPlaces(dials, [...snapshots, ...(await readOthers())]);
  const { now } = connections;
  return { ...connections, now: { ...now, effects: mergeEffects([...now.effects, ...taken]) } };
}

function readAll(
  flow: Flow,
  members: readonly FileMember[],
  spec: MeshSpec,
  templates: Templates,
  { parallel, spare }: FileOptions,
): Promise<{ done: ReadMember[]; failed: Unanswered[] }> {
  const words = counted(members.length, 'cluster');
  const read = (target: Target) => readMember(flow, found(members, target), spec, templates);
  return during(flow, { doing: `Reading ${words}`, done: `Read ${words}`, of: members }, async () => {
    const result = await whereItSucceeds(
      flow,
      members.map(({ target }) => target),
      read,
      parallel,
    );
    if (result.failed.length > 0 && (!spare || result.done.length === 0)) throw firstFailure(flow, result.failed);
    return result;
  });
}

function found(members: readonly FileMember[], target: Target): FileMember {
  const member = members.find((one) => one.target === target);
  if (member) return member;
  throw new MeshctlError('Bug', `context "${target.client.context}" belongs to no cluster of the file`);
}

async function readMember(flow: Flow, member: FileMember, spec: MeshSpec, templates: Templates): Promise<ReadMember> {
  const { client: opened, namespace } = member.target;
  const client = rememberReads(opened);
  const refs = templateRefs(templates, namespace);
  const isAsked = spec.services.length > 0 || spec.servicesOf.length > 0;
  const homes = [...new Set(spec.services.map((service) => service.namespace))].map(namespaceRef);
  const [enable, connect, services, namespaces] = await Promise.all([
    readSnapshot(client, { namespace, purpose: 'enable', refs }),
    readSnapshot(client, { namespace, purpose: 'connect', services: true, refs }),
    isAsked ? opened.collect({ apiVersion: 'v1', kind: 'Service' }, (one) => (isOfFile(one, spec) ? [one] : [])) : [],
    Promise.all(homes.map((ref) => unlessForbidden(client.get(ref)))),
  ]);
  requireCilium(connect);
  const { rotatedBy, disabledBy } = await withDisablingRun(
    flow,
    member.target,
    await withRotatingRun(flow, member.target, connect),
  );
  const keyed = services.map((one) => {
    const { namespace: home = '', name } = one.metadata;
    return [serviceKey({ namespace: home, name }), one] as const;
  });
  return {
    member,
    enable: { ...(await withWhatRuns(flow, member.target, enable)), rotatedBy, disabledBy },
    connect: { ...connect, rotatedBy, disabledBy },
    services: new Map(keyed),
    goingNamespaces: new Map(
      namespaces.flatMap((one) => (one && isGoing(one) ? [[one.metadata.name, one] as const] : [])),
    ),
  };
}

async function draftAll(
  flow: Flow,
  read: readonly ReadMember[],
  templates: Templates,
  options: FileOptions,
): Promise<MemberDraft[]> {
  const made = read.filter(({ member }) => !member.wanted.connectOnly);
  const authorities = await authoritiesFor(flow, read);
  const draftOf = ({ member, enable }: ReadMember, others: readonly ClusterSnapshot[]): MemberDraft => {
    const { force, forcing, waitMs } = options;
    const chosen = choicesOfFile(member.wanted.enable, enable);
    const own = { ...chosen, force: isForcedIn(force, enable.context), forcing, overruleHands: true, waitMs };
    const among = [...read.map((one) => one.enable), ...others].filter((one) => one !== enable);
    const givenAuthority = authorities.get(enable.context);
    const full: EnableOptions = { ...own, givenAuthority, others: among };
    return { member, options: full, draft: draftFrom(enable, templates, full, flow.now()) };
  };
  const drafts = made.map((one) => draftOf(one, []));
  // Also where each known peer is in the file: one that only dials in may have left no trace.
  if (!drafts.some(({ draft }) => concernsOthers(draft))) return drafts;
  const others = await options.readOthers();
  return made.map((one) => draftOf(one, others));
}

/** What is to be said of clusters and connections whether anything is to be written or not, each thing once. */
export function meshWarnings({ snapshots, drafts, connections, extra, withdrawals, remarks }: PreparedMesh): string[] {
  const { warnings: connecting } = connections.now;
  const own = drafts.flatMap(({ draft: { snapshot, warnings, rotation } }) => {
    // Of a rotation the connections tell too, and know which clusters come to take part in it.
    const says = rotation && describeUnfinished(rotation, snapshot.rotatedBy);
    const isTold = says !== undefined && connecting.some((words) => words.includes(`"${snapshot.context}": ${says}`));
    return warnings
      .filter((words) => !(isTold && words.startsWith(says)))
      .filter((words) => !connecting.includes(`context "${snapshot.context}": ${words}`))
      .map((words) => `${snapshot.context}: ${words}`);
  });
  return [
    ...new Set([
      ...own,
      ...connecting,
      ...withdrawals.unseen,
      ...remarkWords(remarks),
      ...snapshots.flatMap(keptForItself),
      ...notPeersNotes(extra.notPeers),
    ]),
  ];
}
