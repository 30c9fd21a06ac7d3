import { type Affinity, isMeantGlobal, readAffinity, readSharing } from './annotations.ts';

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

/** The affinity that all clusters have where it can be read and the Service is meant to be global; undefined where they differ. */
function agreedAffinity(annotations: ReadonlyMap<string, Annotations>): Affinity | undefined {
  const meant = [...annotations.values()].filter(isMeantGlobal);
  const [affinity, ...others] = new Set(meant.flatMap((one) => readAffinity(one) ?? []));
  return others.length === 0 ? affinity : undefined;
}
