import { createHash } from 'node:crypto';
import { joinCertificates } from '../../mesh/certificates/pem.ts';
import { type KubeObject, keyOf, type ObjectRef } from '../../mesh/objects/kube-object.ts';
import { dataOf, encodeText } from '../../mesh/objects/secret-data.ts';
import type { Change, Step, StepAction, TrustOrder } from '../../mesh/plan/plan.ts';
import { printableLines } from '../printable.ts';

/** A value of a Secret as it may be shown. */
export interface SecretDigest {
  bytes: number;
  /** The first 12 hexadecimal digits of the SHA-256 of the bytes. */
  sha256: string;
}

/** What happens to one key of a Secret. Absent `from`: the key is new; absent `to`: it goes. */
export interface SecretKeyChange {
  key: string;
  from?: SecretDigest;
  /** Words where the bytes exist only once the plan is applied. */
  to?: SecretDigest | string;
}

/** One step of a plan as data: what is done to which object and why; no secret bytes. */
export interface StepData {
  action: StepAction;
  object: ObjectRef;
  why: string;
  changes: readonly Change[];
  /** Only of Secrets that are written. */
  secretKeys?: readonly SecretKeyChange[];
  /** The part of a plan that is carried out in several parts, one after the other. */
  phase?: string;
  /** Fields that another manager has set: not without --force-conflicts. */
  conflicts?: readonly { path: string; manager: string }[];
  /** The same with it. */
  takenFrom?: readonly { path: string; manager: string }[];
}

const DIGEST_DIGITS = 12;
const ISSUED_LATER = 'made when the plan is applied';

/** Steps of several clusters, each with its context. */
export function clusterSteps(steps: readonly Step[]): ({ cluster: string } & StepData)[] {
  return steps.map((step) => ({ cluster: step.cluster, ...stepData(step) }));
}

/** A step as data for `-o json`. Of a Secret show key names, sizes and digests, and what the planner says in words; nothing of it can do anything to a terminal. */
export function stepData(step: Step): StepData {
  const { action, object, why, changes } = step;
  const further = {
    ...(step.phase === undefined ? {} : { phase: step.phase }),
    ...(step.conflicts ? { conflicts: step.conflicts } : {}),
    ...(step.takenFrom ? { takenFrom: step.takenFrom } : {}),
  };
  if (object.kind !== 'Secret') return printableLines({ action, object, why, changes, ...further });
  const secretKeys = secretKeyChanges(step);
  return printableLines({
    action,
    object,
    why,
    changes: changes.map((change) => withoutValues(change, step)),
    ...(secretKeys.length > 0 ? { secretKeys } : {}),
    ...further,
  });
}

/** What is counted of a step. */
export type CountedStep = Pick<Step, 'action' | 'cluster' | 'object'>;

/** How many writes there are for each action, and how many objects are kept: each once, and not where they are written. */
export function countActions(steps: readonly CountedStep[]): Record<StepAction, number> {
  const counts: Record<StepAction, number> = { create: 0, update: 0, delete: 0, keep: 0 };
  const writes = steps.filter(({ action }) => action !== 'keep');
  for (const { action } of writes) counts[action] += 1;
  const written = objectsOf(writes);
  counts.keep = [...objectsOf(steps)].filter((object) => !written.has(object)).length;
  return counts;
}

/** The objects that steps are about, each once. */
export function objectsOf(steps: readonly CountedStep[]): Set<string> {
  return new Set(steps.map(({ cluster, object }) => JSON.stringify([cluster, keyOf(object)])));
}

/**
 * Planners word what a Secret gets, and some what it had, in place of the values; those are only digests, in `secretKeys`.
 * Whatever a planner says: what the Secret holds, encoded or not, goes no further.
 */
function withoutValues({ path, from, to }: Change, { before }: Step): Change {
  const encoded = Object.values(dataOf(before));
  const isWords = (value: unknown): value is string =>
    typeof value === 'string' && !encoded.some((held) => held === value || held === encodeText(value));
  if (!isWords(to)) return { path };
  return isWords(from) ? { path, from, to } : { path, to };
}

/** The keys that a step writes to a Secret or removes from it, in alphabetical order. */
function secretKeyChanges({ write, before }: Step): SecretKeyChange[] {
  if (!write) return [];
  const present = encodedData(before);
  const wanted = wantedKeys(write, before);
  const replaced = write.method === 'apply' || write.method === 'create' || write.method === 'delete';
  const keys = new Set([...Object.keys(wanted), ...(replaced ? Object.keys(present) : [])]);
  return [...keys].sort().flatMap((key) => {
    const from = present[key];
    const to = wanted[key];
    // A key that is to go, and is not there, or may not be read.
    const isNothing = from === undefined && (to === undefined || to === null);
    if (isNothing || (from !== undefined && from === to)) return [];
    return [
      {
        key,
        ...(from === undefined ? {} : { from: digest(from) }),
        ...(to === undefined || to === null ? {} : { to: to === ISSUED_LATER ? to : digest(to) }),
      },
    ];
  });
}

/** By key: base64, {@link ISSUED_LATER}, or null for a key that is removed. */
function wantedKeys(write: NonNullable<Step['write']>, before: KubeObject | undefined): Record<string, string | null> {
  switch (write.method) {
    case 'apply':
    case 'create':
      return encodedData(write.object);
    case 'patch':
      return (write.patch.data ?? {}) as Record<string, string | null>;
    case 'authority': {
      const { keys = [], become } = write.beside?.tlsKeys ?? {};
      const others = keys.map((key) => [key, become === 'same' ? ISSUED_LATER : null]);
      return { 'ca.crt': ISSUED_LATER, 'ca.key': ISSUED_LATER, ...Object.fromEntries(others) };
    }
    case 'issue': {
      const texts = Object.entries(write.data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
      const issued = [...write.certificates, ...(write.copies ?? [])].flatMap(({ keys }) =>
        [keys.ca, keys.certificate, keys.privateKey].map((key) => [key, ISSUED_LATER]),
      );
      const trusted = (write.trust ?? []).map((order) => [order.key, trustedValue(order)]);
      const removed = (write.remove ?? []).map((key) => [key, null]);
      return Object.fromEntries([...removed, ...texts, ...issued, ...trusted]) as Record<string, string | null>;
    }
    case 'edit': {
      const edit = before ? write.edit(before) : undefined;
      if (edit === 'delete') return Object.fromEntries(Object.keys(encodedData(before)).map((key) => [key, null]));
      return edit ? ((edit.patch.data ?? {}) as Record<string, string | null>) : encodedData(write.create);
    }
    case 'restart':
    case 'delete':
      return {};
  }
}

function trustedValue({ authority, certificates }: TrustOrder): string {
  return authority === undefined ? encodeText(joinCertificates(certificates)) : ISSUED_LATER;
}

function encodedData(secret: KubeObject | undefined): Record<string, string> {
  return dataOf(secret);
}

function digest(encoded: string): SecretDigest {
  const bytes = Buffer.from(encoded, 'base64');
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_DIGITS) };
}
