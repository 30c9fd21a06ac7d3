import { MeshctlError } from '../mesh/errors.ts';
import { type KubeObject, type ManagedFieldsEntry, refOf } from '../mesh/objects/kube-object.ts';
import type { ClusterClient } from './client.ts';
import { equal } from './merge-patch.ts';

/** Controllers may write in between; more often than this would be a fight. */
const MAX_ATTEMPTS = 5;

/** An object at three times of a write that is taken back. */
export interface Written {
  before: KubeObject;
  /** As the write left it, and what was there when the rollback looked. */
  after: KubeObject | undefined;
  live: KubeObject | undefined;
}

/** The object is as before, and its fields are not back with whom they were. */
export class OwnersNotRestored extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super('the fields are not back with whom they were');
    this.reason = reason;
  }
}

/**
 * Gives the fields of an object back to whom they belonged. What a rollback sets is by its own patch; server-side apply removes
 * only what its manager has applied, and nobody else has set: without this, the same apply run again would leave there what it was
 * to take away. A client may write managedFields as long as it changes nothing else (client-go's util/csaupgrade does).
 * @param restored what the rollback has stored
 * @throws OwnersNotRestored with what the API server refuses: what is in the object has come back by then
 */
export async function restoreOwners(
  client: ClusterClient,
  written: Written,
  restored: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  try {
    await writeOwners(client, written, restored, signal);
  } catch (error) {
    throw new OwnersNotRestored(error);
  }
}

async function writeOwners(
  client: ClusterClient,
  written: Written,
  restored: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const wanted = ownersAsBefore(written);
  let current = restored;
  for (let attempt = 1; ; attempt++) {
    const managedFields = sinceThen(wanted, restored, current);
    if (managedFields.length === 0 || equal(fieldsOf(managedFields), fieldsOf(entriesOf(current)))) return;
    try {
      const { resourceVersion } = current.metadata;
      await client.patch(refOf(current), { metadata: { managedFields } }, { resourceVersion, signal });
      return;
    } catch (error) {
      const isOvertaken = error instanceof MeshctlError && error.code === 'Conflict';
      if (!isOvertaken || attempt === MAX_ATTEMPTS) throw error;
      const live = await client.get(refOf(current), { signal });
      if (!live || live.metadata.uid !== current.metadata.uid) return;
      current = live;
    }
  }
}

/** As before the write, but for those that have written since. */
function ownersAsBefore({ before, after, live }: Written): Map<string, ManagedFieldsEntry> {
  const [was, left, now] = [byOwner(before), byOwner(after), byOwner(live)];
  const owners = new Map<string, ManagedFieldsEntry>();
  for (const key of new Set([...was.keys(), ...now.keys()])) {
    const entry = isSame(now.get(key), left.get(key)) ? was.get(key) : now.get(key);
    if (entry) owners.set(key, entry);
  }
  return owners;
}

/** The same, but for those that have written after the rollback. */
function sinceThen(
  wanted: ReadonlyMap<string, ManagedFieldsEntry>,
  restored: KubeObject,
  current: KubeObject,
): ManagedFieldsEntry[] {
  const [then, now] = [byOwner(restored), byOwner(current)];
  return [...new Set([...wanted.keys(), ...now.keys()])].flatMap((key) => {
    const entry = isSame(then.get(key), now.get(key)) ? wanted.get(key) : now.get(key);
    return entry ? [entry] : [];
  });
}

function entriesOf(object: KubeObject | undefined): readonly ManagedFieldsEntry[] {
  return object?.metadata.managedFields ?? [];
}

function keyOfOwner({ manager, operation, apiVersion, subresource }: ManagedFieldsEntry): string {
  return JSON.stringify([manager, operation, apiVersion, subresource]);
}

function byOwner(object: KubeObject | undefined): Map<string, ManagedFieldsEntry> {
  return new Map(entriesOf(object).map((entry) => [keyOfOwner(entry), entry]));
}

function isSame(one: ManagedFieldsEntry | undefined, other: ManagedFieldsEntry | undefined): boolean {
  return equal(one?.fieldsV1, other?.fieldsV1);
}

/** Without when it was. */
function fieldsOf(entries: readonly ManagedFieldsEntry[]): Record<string, unknown> {
  return Object.fromEntries(entries.map((entry) => [keyOfOwner(entry), entry.fieldsV1]));
}
