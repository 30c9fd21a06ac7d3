import { reasonToReplacePods } from '../apiserver/pod-marks.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { chartValueOf, isAmongHelmValues } from '../objects/chart-values.ts';
import { type KubeObject, keyOf, type ObjectRef, refOf } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  APISERVER,
  CA_SECRET,
  KVSTOREMESH_PEERS_SECRET,
  SERVER_CERT_SECRET,
} from '../objects/names.ts';
import { conflictsOf, describeConflicts, fieldOwner, foreignOwner, isOurs, toolOwner } from '../objects/ownership.ts';
import { dataOf, secretTexts } from '../objects/secret-data.ts';
import { sourceEdits } from '../objects/source-advice.ts';
import { peersIn } from '../peers/file/peer-config.ts';
import { ownUser } from '../peers/peers.ts';
import { lackOfUsers, USERS_FILE, userNames } from '../peers/users/remote-users.ts';
import { applyChanges, asLive } from '../plan/diff.ts';
import { disputes, FIELD_MANAGER, type Plan, type Step, TLS_KEYS } from '../plan/plan.ts';
import { certificateStep } from './certificates.ts';
import { deletionOf } from './deletion.ts';
import { addressAnnotations } from './exposure/address-annotations.ts';
import type { EnableInput } from './input.ts';
import { keptSettingsOf, settingName, unsetCommand } from './kept-settings.ts';
import { chosenOtherwise, leftToOwner } from './left-to-owner.ts';
import { isAbout } from './setting-path.ts';

/**
 * The ordered steps that turn a cluster into one with the rendered clustermesh-apiserver: the CA, the Service (its address
 * goes into the server certificate), certificates, everything that the pods refer to, the Deployment, and at the end the
 * removal of what earlier options needed.
 */
export function planEnable(input: EnableInput): Plan {
  const { objects, certificates, move } = input;
  const isService = (object: KubeObject): boolean => object.kind === 'Service' && object.metadata.name === APISERVER;
  const certificateNames = new Set(certificates.map(({ secret }) => secret));
  const isCertificate = (object: KubeObject): boolean =>
    object.kind === 'Secret' && certificateNames.has(object.metadata.name);
  const others = objects.filter((object) => !isService(object) && !isCertificate(object));
  const services = objects.filter(isService).map((object) => applyStep(input, object, 'peers dial it'));
  const mayMove = services.some((step) => addressAnnotations(step).length > 0);
  const issuing = certificates.map((certificate) => certificateStep(input, certificate, mayMove));
  return {
    steps: [
      ...(input.authority.step ? [input.authority.step] : []),
      ...services,
      ...issuing,
      ...others
        .filter(({ kind }) => kind !== 'Deployment')
        .filter((object) => !isMoved(input, refOf(object)))
        .map((object) => (isShared(object) ? createStep(input, object) : applyStep(input, object))),
      ...(move ? [move.before] : []),
      ...others
        .filter(({ kind }) => kind === 'Deployment')
        .map((object) => uponTrust(applyStep(input, object), issuing)),
      ...(move ? [move.after] : []),
      ...leftoverSteps(input),
    ],
  };
}

/**
 * A Deployment whose pods are marked by the CAs beside the server's certificate, where this plan leaves those as they are: another run
 * may replace them by then, and pods that start would have read others than everybody takes them to have.
 */
function uponTrust(step: Step, issuing: readonly Step[]): Step {
  const { write } = step;
  const source = issuing.find(({ object, action }) => object.name === SERVER_CERT_SECRET && action === 'keep')?.before;
  const trusted = dataOf(source)[TLS_KEYS.ca];
  if (write?.method !== 'apply' || !source || trusted === undefined) return step;
  return { ...step, write: { ...write, basis: { source, data: { [TLS_KEYS.ca]: trusted } } } };
}

/**
 * Refuses a plan that would overwrite what others have set.
 * @param forcing the command line that would do it all the same
 * @param viaHelm whether that command can have Helm do it instead, with --via-helm
 * @throws MeshctlError `Conflict`, naming owners and fields
 */
export function requireNoConflicts(
  { context }: ClusterSnapshot,
  steps: readonly Step[],
  forcing = meshctlCommand('clustermesh enable', { context }, ['--force-conflicts']),
  viaHelm = false,
): void {
  const disputed = steps.flatMap(({ conflicts = [], before, object }) =>
    conflicts.length > 0
      ? [
          {
            owners: conflicts.map(({ manager }) => fieldOwner(before, manager)),
            words: describeConflicts(object, conflicts),
          },
        ]
      : [],
  );
  if (disputed.length === 0) return;
  const owners = [...new Set(disputed.flatMap((dispute) => dispute.owners))];
  const whose = owners.length === 1 ? `${owners[0]} owns` : 'others own';
  throw new MeshctlError(
    'Conflict',
    `context "${context}": ${whose} fields that would have to change: ${disputed.map(({ words }) => words).join('; ')}`,
    {
      hint: `${otherWay(context, steps, viaHelm)}, or take the fields over: ${forcing}`,
      details: { context, conflicts: steps.flatMap(({ conflicts = [] }) => conflicts) },
    },
  );
}

/** What else than --force-conflicts ends the conflicts that {@link requireNoConflicts} refuses; undefined where there are none. */
export function waysOutOfConflicts(context: string, steps: readonly Step[]): string | undefined {
  return steps.some(({ conflicts = [] }) => conflicts.length > 0) ? otherWay(context, steps, false) : undefined;
}

function otherWay(context: string, steps: readonly Step[], viaHelm: boolean): string {
  const earlier = [...new Set(steps.flatMap(earlierSettings))];
  if (earlier.length > 0) return `Undo an earlier --set: ${unsetCommand(context, earlier)}`;
  const edits = sourceEdits(steps);
  const set = edits === undefined ? 'Change them where they are managed' : `Set ${edits}`;
  const isOfHelm = ({ before, conflicts = [] }: Step) =>
    conflicts.some(({ manager }) => fieldOwner(before, manager).startsWith('Helm'));
  const byHelm = viaHelm && steps.some(isOfHelm) && steps.every(isMadeByValues);
  return byHelm ? `${set}, let Helm do it with --via-helm` : set;
}

/** Whether --via-helm makes what is disputed as it is wanted, by the values that it gives Helm. */
function isMadeByValues({ object, wanted, conflicts = [] }: Step): boolean {
  const set = keptSettingsOf(wanted).map(([path]) => path);
  return conflicts.every(({ path }) => {
    const value = chartValueOf(object, path);
    return !set.some((one) => isAbout(one, path)) && (value === undefined || isAmongHelmValues(value));
  });
}

/** What an earlier run has set, and this one has not, of the fields that are disputed. */
function earlierSettings({ before, wanted, conflicts = [] }: Step): string[] {
  const now = new Map(keptSettingsOf(wanted));
  const stays = (path: string, value: unknown) => JSON.stringify(now.get(path)) === JSON.stringify(value);
  return keptSettingsOf(before).flatMap(([path, value]) =>
    before && stays(path, value) && conflicts.some((conflict) => isAbout(path, conflict.path))
      ? [settingName(before, path)]
      : [],
  );
}

/** Objects that connect fills: enable makes them once and leaves what is in them. */
function isShared(object: KubeObject): boolean {
  return object.kind === 'Secret' || (object.kind === 'ConfigMap' && object.metadata.name !== 'cilium-config');
}

function applyStep({ snapshot, force, overruleHands }: EnableInput, object: KubeObject, purpose = ''): Step {
  const ref = refOf(object);
  const before = snapshot.objects.get(keyOf(ref));
  if (!before) {
    const write = { method: 'apply', object } as const;
    const made = { cluster: snapshot.context, object: ref, before, wanted: object };
    return { ...made, action: 'create', changes: [], why: purpose, write };
  }
  // What a tool makes stays the tool's by its marks, whoever takes over fields of it.
  const owner = force ? toolOwner(before) : foreignOwner(before);
  const wanted =
    owner === undefined ? asLive(before, object, chosenOtherwise(before, object)) : leftToOwner(before, object);
  const base = { cluster: snapshot.context, object: ref, before, wanted };
  const write = { method: 'apply', object: wanted } as const;
  const changes = applyChanges(before, wanted, FIELD_MANAGER);
  if (changes.length === 0) {
    const kept = { ...base, action: 'keep', changes } as const;
    return owner ? { ...kept, why: `made by ${owner}`, isSpared: true } : { ...kept, why: 'as wanted' };
  }
  const replacing = reasonToReplacePods(changes);
  const why = purpose || (replacing ? `differs; ${replacing}` : 'differs');
  const disputed = disputes(conflictsOf(before, changes), force);
  if (!overruleHands || !disputed.conflicts || !isOurs(before)) {
    return { ...base, action: 'update', changes, why, write, ...disputed };
  }
  const hands = [...new Set(disputed.conflicts.map(({ manager }) => manager))].join(', ');
  return { ...base, action: 'update', changes, why: `${why}; ${hands} changed it`, write: { ...write, force: true } };
}

function createStep({ snapshot }: EnableInput, object: KubeObject): Step {
  const ref = refOf(object);
  const before = snapshot.objects.get(keyOf(ref));
  const base = { cluster: snapshot.context, object: ref, changes: [], before };
  const file = dataOf(object)[USERS_FILE];
  const users = userNames(file ?? '').filter((user) => user !== ownUser(snapshot));
  const why = users.length > 0 ? `lets ${users.join(', ')} in, as before` : 'will hold the peers';
  if (!before) return { ...base, action: 'create', why, write: { method: 'create', object } };
  const isThere = (live: KubeObject) => lackOfUsers(live) === undefined;
  // Whoever applied what render prints has made a ConfigMap without the file, which only the cluster knows.
  if (file === undefined || isThere(before)) return { ...base, action: 'keep', why: 'holds the peers' };
  const former = dataOf(before)[USERS_FILE];
  return {
    ...base,
    action: 'update',
    changes: [{ path: `data.${USERS_FILE}`, ...(former === undefined ? {} : { from: former }), to: file }],
    why: former === undefined ? why : `${lackOfUsers(before)}; ${why}`,
    write: {
      method: 'edit',
      edit: (live) => (isThere(live) ? undefined : { patch: { data: { [USERS_FILE]: file } } }),
    },
  };
}

/** Whether the files of peers that move are in an object: then it has a step of its own. */
function isMoved({ move }: EnableInput, ref: ObjectRef): boolean {
  return move !== undefined && [move.before, move.after].some(({ object }) => keyOf(object) === keyOf(ref));
}

/** What earlier options needed and these do not. Secrets with peers in them stay: connect moves those. */
function leftoverSteps(input: EnableInput): Step[] {
  const { snapshot, objects, possible } = input;
  const rendered = new Set(objects.map((object) => keyOf(refOf(object))));
  return possible
    .filter((ref) => !rendered.has(keyOf(ref)) && !isMoved(input, ref))
    .flatMap((ref): Step[] => {
      const before = snapshot.objects.get(keyOf(ref));
      if (!before || !isOurs(before)) return [];
      const base = { cluster: snapshot.context, object: ref, changes: [], before };
      const peers = isPeersSecret(ref) ? peersIn(secretTexts(before)) : [];
      if (peers.length > 0) return [{ ...base, action: 'keep', why: `holds ${peers.join(', ')}`, isSpared: true }];
      return [{ ...base, action: 'delete', why: 'these options do not need it', write: deletionOf(before) }];
    });
}

function isPeersSecret({ kind, name }: ObjectRef): boolean {
  return kind === 'Secret' && (name === AGENT_PEERS_SECRET || name === KVSTOREMESH_PEERS_SECRET);
}

/** Steps after which the Service gets its address; everything else needs the CA and that address. */
export function isFoundation({ object }: Step): boolean {
  return object.name === CA_SECRET || (object.kind === 'Service' && object.name === APISERVER);
}
