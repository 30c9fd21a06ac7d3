import type { KubeObject } from '../objects/kube-object.ts';
import { isRecord } from '../record.ts';
import type { Change } from './plan.ts';

/**
 * The key by which the entries of a Kubernetes list are told apart, if all have it. The API server merges these lists by
 * key and keeps their order to itself, so a plan compares them by key too.
 */
const LIST_KEYS: readonly (readonly string[])[] = [
  ['name'],
  ['key'],
  ['mountPath'],
  ['containerPort', 'protocol'],
  ['port', 'protocol'],
  ['ip'],
];

/** Parts of list keys that the API server fills in where an object leaves them out. */
const DEFAULTED_KEYS: Readonly<Record<string, unknown>> = { protocol: 'TCP' };

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isRecord(value) && Object.values(value).every(isEmpty);
}

function entryKey(entry: unknown, keys: readonly string[]): string {
  return keys.map((key) => (isRecord(entry) ? String(entry[key] ?? DEFAULTED_KEYS[key] ?? '') : '')).join('/');
}

function listKeysOf(list: readonly unknown[]): readonly string[] | undefined {
  if (list.length === 0 || !list.every(isRecord)) return undefined;
  return LIST_KEYS.find(
    ([first, ...rest]) =>
      first !== undefined &&
      list.every((entry) => isRecord(entry) && entry[first] !== undefined) &&
      new Set(list.map((entry) => entryKey(entry, [first, ...rest]))).size === list.length,
  );
}

/**
 * What a server-side apply of `desired` would change in `live`: fields that differ or are missing, and fields that the
 * manager applied before and no longer wants.
 */
export function applyChanges(live: KubeObject, desired: KubeObject, manager: string): Change[] {
  const { metadata, ...content } = desired;
  const wanted = { ...content, metadata: { labels: metadata.labels, annotations: metadata.annotations } };
  const changes = [...changesTo(live, wanted), ...givenUp(live, desired, manager)];
  // Plans are printed: no value of a Secret may get into one.
  return desired.kind === 'Secret' ? changes.map(({ path }) => ({ path })) : changes;
}

/** Fields that `manager` owns by an earlier apply and that `desired` does not have: the API server removes them. */
function givenUp(live: KubeObject, desired: KubeObject, manager: string): Change[] {
  const owned = live.metadata.managedFields?.find(
    (entry) => entry.manager === manager && entry.operation === 'Apply' && !entry.subresource,
  )?.fieldsV1;
  if (!owned) return [];
  return ownedButUnwanted(owned, live, desired, '').filter(({ path }) => !staysAllocated(path, live, desired));
}

/**
 * Whether the API server keeps a field that nobody wants any more: a Service's node port, as long as its type has some
 * (Kubernetes' pkg/registry/core/service, `patchAllocatedValues`).
 */
function staysAllocated(path: string, live: KubeObject, desired: KubeObject): boolean {
  return NODE_PORT.test(path) && hasNodePorts(live, live) && hasNodePorts(desired, live);
}

const NODE_PORT = /^spec\.ports\[[^\]]+\]\.nodePort$/;

function hasNodePorts({ kind, spec }: KubeObject, live: KubeObject): boolean {
  if (kind !== 'Service') return false;
  const former = live.spec as ServicePortsSpec | undefined;
  const { type, allocateLoadBalancerNodePorts = former?.allocateLoadBalancerNodePorts } = (spec ??
    {}) as ServicePortsSpec;
  return type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);
}

interface ServicePortsSpec {
  type?: string;
  allocateLoadBalancerNodePorts?: boolean;
}

function ownedButUnwanted(owned: Record<string, unknown>, live: unknown, desired: unknown, path: string): Change[] {
  return Object.entries(owned).flatMap(([token, below]) => {
    const child = stepInto(token, live, desired, path);
    if (!child || child.live === undefined) return [];
    if (child.desired === undefined && token.startsWith('f:') && isShared(below, child.live)) {
      return ownedButUnwanted(below, child.live, {}, child.path);
    }
    if (child.desired === undefined) return [change(child.path, child.live, undefined)];
    return isRecord(below) ? ownedButUnwanted(below, child.live, child.desired, child.path) : [];
  });
}

/** Whether a mapping has fields that are others', who keep them. */
function isShared(below: unknown, live: unknown): below is Record<string, unknown> {
  if (!isRecord(below) || !isRecord(live)) return false;
  const owned = Object.keys(below).filter((token) => token.startsWith('f:'));
  return owned.length > 0 && Object.keys(live).some((field) => !owned.includes(`f:${field}`));
}

/** Follows one path element of fieldsV1 (`f:name`, `k:{"name":"etcd"}`); undefined for `.` and for set members `v:…`. */
function stepInto(token: string, live: unknown, desired: unknown, path: string) {
  if (token.startsWith('f:')) {
    const field = token.slice(2);
    const at = (value: unknown) => (isRecord(value) ? value[field] : undefined);
    return { live: at(live), desired: at(desired), path: path ? `${path}.${field}` : field };
  }
  if (token.startsWith('k:')) {
    const key = JSON.parse(token.slice(2)) as Record<string, unknown>;
    const at = (value: unknown) =>
      Array.isArray(value)
        ? value.find(
            (entry) =>
              isRecord(entry) &&
              Object.entries(key).every(([name, part]) => (entry[name] ?? DEFAULTED_KEYS[name]) === part),
          )
        : undefined;
    return { live: at(live), desired: at(desired), path: `${path}[${Object.values(key).join('/')}]` };
  }
  return undefined;
}

/**
 * The fields of `desired` that `live` lacks or has otherwise. Fields that only `live` has are the API server's defaults or
 * belong to others, and are no difference; a scalar list is compared as a whole.
 * @param live the object as the API server gives it
 * @param desired the object as meshctl would apply it
 * @param path prefix for the paths of the changes
 */
export function changesTo(live: unknown, desired: unknown, path = ''): Change[] {
  if (desired === undefined || (isEmpty(desired) && isEmpty(live))) return [];
  if (isRecord(desired)) {
    const present = isRecord(live) ? live : {};
    if (isServiceSelector(path, desired)) return isSameMapping(present, desired) ? [] : [change(path, live, desired)];
    if (!isRecord(live) && Object.keys(desired).length === 0) return [{ path, from: live, to: desired }];
    return Object.entries(desired).flatMap(([field, value]) =>
      changesTo(present[field], value, path ? `${path}.${field}` : field),
    );
  }
  if (Array.isArray(desired)) return listChanges(live, desired, path);
  return desired === live ? [] : [change(path, live, desired)];
}

/**
 * A Service's selector, as opposed to a workload's, which has mappings in it: the API server takes it as a whole, and what
 * others have added to it leads to fewer pods.
 */
function isServiceSelector(path: string, selector: Record<string, unknown>): boolean {
  return path === 'spec.selector' && Object.values(selector).every((value) => typeof value === 'string');
}

function isSameMapping(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
  return Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([key, value]) => b[key] === value);
}

function listChanges(live: unknown, desired: readonly unknown[], path: string): Change[] {
  const present: readonly unknown[] = Array.isArray(live) ? live : [];
  if (path.endsWith('.args')) return sameArguments(present, desired) ? [] : [change(path, live, desired)];
  const keys = listKeysOf(desired);
  if (!keys) return JSON.stringify(present) === JSON.stringify(desired) ? [] : unkeyedChanges(present, desired, path);
  const byKey = new Map(present.map((entry) => [entryKey(entry, keys), entry]));
  const changes = desired.flatMap((entry) => {
    const key = entryKey(entry, keys);
    return changesTo(byKey.get(key), entry, `${path}[${key}]`);
  });
  return changes;
}

/**
 * `desired` as it is to be applied: a list that the API server takes as a whole is as `live` has it where it says the same,
 * because whoever set it would be said to be overruled.
 * @param left paths of further fields that shall be as they are
 */
export function asLive(live: KubeObject, desired: KubeObject, left: ReadonlySet<string> = new Set()): KubeObject {
  return fieldsAsLive(live, desired, left, '') as KubeObject;
}

function fieldsAsLive(live: unknown, desired: unknown, left: ReadonlySet<string>, path: string): unknown {
  if (left.has(path)) return live;
  if (isRecord(desired)) {
    const present = isRecord(live) ? live : {};
    const fields = Object.entries(desired).map(([field, value]): [string, unknown, unknown] => {
      return [field, value, fieldsAsLive(present[field], value, left, path ? `${path}.${field}` : field)];
    });
    // A mapping is there for its fields: without any, some may not be there at all.
    const isLeft = (before: unknown, after: unknown) => after === undefined || (isBare(after) && !isBare(before));
    return Object.fromEntries(fields.flatMap(([field, value, now]) => (isLeft(value, now) ? [] : [[field, now]])));
  }
  if (!Array.isArray(desired) || !Array.isArray(live)) return desired;
  const keys = path.endsWith('.args') ? undefined : listKeysOf(desired);
  if (!keys) return listChanges(live, desired, path).every((one) => left.has(one.path)) ? live : desired;
  const byKey = new Map(live.map((entry) => [entryKey(entry, keys), entry]));
  return desired.map((entry) => {
    const key = entryKey(entry, keys);
    return fieldsAsLive(byKey.get(key), entry, left, `${path}[${key}]`);
  });
}

function isBare(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length === 0;
}

/** A program's flags mean the same in any order; what comes first is its command. */
function sameArguments(live: readonly unknown[], desired: readonly unknown[]): boolean {
  const ordered = ([first, ...rest]: readonly unknown[]) => JSON.stringify([first, ...rest.map(String).sort()]);
  return ordered(live) === ordered(desired);
}

/** Lists without a key: of records compared one by one where the lengths agree (defaults may be added), else whole. */
function unkeyedChanges(live: readonly unknown[], desired: readonly unknown[], path: string): Change[] {
  if (live.length === desired.length && desired.every(isRecord)) {
    return desired.flatMap((entry, index) => changesTo(live[index], entry, `${path}[${index}]`));
  }
  return [change(path, live, desired)];
}

/** What annotations become of an object, as far as they change; null for one that goes. */
export function markChanges(live: KubeObject | undefined, marks: Readonly<Record<string, string | null>>): Change[] {
  return Object.entries(marks).flatMap(([name, to]) => {
    const from = live?.metadata.annotations?.[name];
    if ((from ?? null) === to) return [];
    const path = `metadata.annotations[${name}]`;
    return [{ path, ...(from === undefined ? {} : { from }), to: to ?? '(removed)' }];
  });
}

function change(path: string, from: unknown, to: unknown): Change {
  return { path, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}
