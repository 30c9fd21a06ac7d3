import { AFFINITIES, type Affinity, isMeantGlobal, readSharing, SERVICE_ANNOTATIONS } from './annotations.ts';

/** What `service global` is to be told: what is absent stays. */
export interface KnownValues {
  /** Only where the Service is not global yet. */
  global?: true;
  affinity?: Affinity;
  shared?: boolean;
}

/**
 * What makes values known that Cilium does not know, in the clusters that have them and in no other. Which of both ways is meant, as
 * by `shared: no`, only the operator knows.
 */
export interface ValueMend {
  clusters: readonly string[];
  /** What Cilium takes them for. */
  kept: KnownValues | 'not-global';
  /** What whoever makes a Service global would mean by them. */
  meant: KnownValues;
}

type Annotations = Readonly<Record<string, string>>;
type Kind = 'affinity' | 'shared';

const KNOWN: Readonly<Record<Kind, readonly string[]>> = { affinity: AFFINITIES, shared: ['true', 'false'] };
/** What Cilium takes an absent annotation for. */
const ABSENT: Readonly<Record<Kind, string>> = { affinity: 'none', shared: 'true' };

/**
 * For each cluster what `service global` is to be told there. What can be read stays as it is; a value that cannot becomes what Cilium
 * takes it for, or else: global, shared, the affinity that the other clusters agree on.
 * @param annotations of the Service, by cluster
 * @param wrong what is to be mended, by cluster, beside whether it is global
 */
export function valueMends(
  annotations: ReadonlyMap<string, Annotations>,
  wrong: ReadonlyMap<string, readonly Kind[]>,
): ValueMend[] {
  const agreed = agreedAffinity(annotations) ?? 'none';
  const mends = new Map<string, ValueMend>();
  for (const [cluster, kinds] of wrong) {
    const isGlobal = readSharing(annotations.get(cluster)).global;
    const values = (affinity: Affinity, shared: boolean): KnownValues => ({
      ...(kinds.includes('affinity') ? { affinity } : {}),
      ...(kinds.includes('shared') ? { shared } : {}),
    });
    const kept = isGlobal ? values('none', false) : 'not-global';
    const meant = { ...(isGlobal ? {} : { global: true as const }), ...values(agreed, true) };
    const key = JSON.stringify([kept, meant]);
    mends.set(key, { kept, meant, clusters: [...(mends.get(key)?.clusters ?? []), cluster] });
  }
  return [...mends.values()];
}

/** Whether a value is none that Cilium knows. */
export function isStray(kind: Kind, annotations: Annotations): boolean {
  return !KNOWN[kind].includes(readValue(kind, annotations));
}

/** The affinity that all clusters have where it can be read and the Service is meant to be global; undefined where they differ. */
function agreedAffinity(annotations: ReadonlyMap<string, Annotations>): Affinity | undefined {
  const readable = [...annotations.values()].filter((one) => isMeantGlobal(one) && !isStray('affinity', one));
  const values = new Set(readable.map((one) => readValue('affinity', one)));
  return values.size === 1 ? AFFINITIES.find((one) => values.has(one)) : undefined;
}

function readValue(kind: Kind, annotations: Annotations): string {
  const { name, legacy } = SERVICE_ANNOTATIONS[kind];
  const value = (annotations[name] ?? annotations[legacy])?.toLowerCase();
  // An empty affinity is none; any other word for shared than true is false.
  return value === undefined || (value === '' && kind === 'affinity') ? ABSENT[kind] : value;
}
