import { AFFINITIES, type Affinity, isMeantGlobal, SERVICE_ANNOTATIONS } from './annotations.ts';

/** What makes a value known that Cilium does not know, in the clusters that have it and in no other. */
export interface ValueMend {
  clusters: readonly string[];
  affinity?: Affinity | undefined;
  /** `either`: nobody but the operator knows. */
  shared?: 'true' | 'false' | 'either' | undefined;
}

type Annotations = Readonly<Record<string, string>>;
type Kind = 'affinity' | 'shared';

const KNOWN: Readonly<Record<Kind, readonly string[]>> = { affinity: AFFINITIES, shared: ['true', 'false'] };
/** What Cilium takes an absent annotation for. */
const ABSENT: Readonly<Record<Kind, string>> = { affinity: 'none', shared: 'true' };

/**
 * For each cluster what `service global` is to be told there. What can be read stays as it is; a value that cannot becomes what
 * the other clusters agree on, else an affinity is the one that Cilium takes it for, and what is shared is the operator's choice.
 * @param annotations of the Service, by cluster
 * @param wrong what is to be mended, by cluster
 */
export function valueMends(
  annotations: ReadonlyMap<string, Annotations>,
  wrong: ReadonlyMap<string, readonly Kind[]>,
): ValueMend[] {
  const mends = new Map<string, ValueMend>();
  for (const [cluster, kinds] of wrong) {
    const affinity = kinds.includes('affinity') ? (agreedOn('affinity', annotations) ?? 'none') : undefined;
    const shared = kinds.includes('shared') ? (agreedOn('shared', annotations) ?? 'either') : undefined;
    const mend = { affinity, shared } as Omit<ValueMend, 'clusters'>;
    const key = JSON.stringify(mend);
    mends.set(key, { ...mend, clusters: [...(mends.get(key)?.clusters ?? []), cluster] });
  }
  return [...mends.values()];
}

/** Whether a value is none that Cilium knows. */
export function isStray(kind: Kind, annotations: Annotations): boolean {
  return !KNOWN[kind].includes(readValue(kind, annotations));
}

/** What all clusters have where it can be read and the Service is meant to be global; undefined where they differ. */
function agreedOn(kind: Kind, annotations: ReadonlyMap<string, Annotations>): string | undefined {
  const readable = [...annotations.values()].filter((one) => isMeantGlobal(one) && !isStray(kind, one));
  const values = new Set(readable.map((one) => readValue(kind, one)));
  const [value] = values;
  return values.size === 1 ? value : undefined;
}

function readValue(kind: Kind, annotations: Annotations): string {
  const { name, legacy } = SERVICE_ANNOTATIONS[kind];
  const value = (annotations[name] ?? annotations[legacy])?.toLowerCase();
  // An empty affinity is none; any other word for shared than true is false.
  return value === undefined || (value === '' && kind === 'affinity') ? ABSENT[kind] : value;
}
