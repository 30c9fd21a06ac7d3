import { FIELD_MANAGER } from '../plan/plan.ts';
import type { KubeObject, ManagedFieldsEntry } from './kube-object.ts';
import { RELEASE_NAME, toolOf } from './ownership.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Whether Helm applies an object server-side, as Helm 4 does with the releases that it has installed: then it changes no field that
 * others have set, and the upgrade fails, unless it is forced. Others who apply it leave out Helm's own annotation. What another tool has taken
 * over from Helm is not Helm's any more.
 */
export function isAppliedByHelm(object: KubeObject | undefined): boolean {
  return (object?.metadata.managedFields ?? []).some(isOfHelm) && toolOf(object)?.kind === 'helm';
}

function isOfHelm({ operation, fieldsV1 }: ManagedFieldsEntry): boolean {
  const { 'f:annotations': annotations = {} } = (fieldsV1?.['f:metadata'] ?? {}) as Record<string, object>;
  return operation === 'Apply' && `f:${RELEASE_NAME}` in annotations;
}

/** The fields of an entry that Helm applies an object with; undefined where it does not. */
export function helmEntry({ metadata: { managedFields = [] } }: KubeObject): ManagedFieldsEntry | undefined {
  return managedFields.find(isOfHelm);
}

/** What no chart has: meshctl's own marks, and the addresses that connect gives to pods which dial by name. */
const NOT_OF_CHARTS = /^f:(meshctl\.io\/.*|hostAliases)$/;

/** What is left of an entry of managedFields once another writer has what it makes: its own marks. */
function ownMarks(fields: Fields): Fields {
  const kept = Object.entries(fields).flatMap(([token, below]): [string, unknown][] => {
    if (NOT_OF_CHARTS.test(token)) return [[token, below]];
    const inner = ownMarks((below ?? {}) as Fields);
    return Object.keys(inner).length > 0 ? [[token, inner]] : [];
  });
  return Object.fromEntries(kept);
}

const isOurs = ({ manager, subresource }: ManagedFieldsEntry) => manager === FIELD_MANAGER && subresource === undefined;

/** Whether an entry has fields that others may make too. */
function isMoreThanMarks({ fieldsV1 }: ManagedFieldsEntry): boolean {
  return fieldsV1 === undefined || JSON.stringify(ownMarks(fieldsV1)) !== JSON.stringify(fieldsV1);
}

/** Whether meshctl has set fields of an object that whoever makes it may make too. */
export function hasOurFields({ metadata: { managedFields = [] } }: KubeObject): boolean {
  return managedFields.some((entry) => isOurs(entry) && isMoreThanMarks(entry));
}

/**
 * Gives meshctl's fields of an object to Helm, which applies it: they stay as they are, and are no longer meshctl's, but for its own
 * marks. A client may write managedFields as long as it changes nothing else (client-go's util/csaupgrade does).
 * @returns what to patch; undefined where Helm does not apply the object, or meshctl has no more than its marks
 */
export function givenFields(live: KubeObject): Record<string, unknown> | undefined {
  if (!isAppliedByHelm(live) || !hasOurFields(live)) return undefined;
  const managedFields = (live.metadata.managedFields ?? []).flatMap((entry): ManagedFieldsEntry[] => {
    if (!isOurs(entry)) return [entry];
    const fieldsV1 = ownMarks(entry.fieldsV1 ?? {});
    return Object.keys(fieldsV1).length > 0 ? [{ ...entry, fieldsV1 }] : [];
  });
  return { metadata: { managedFields } };
}
