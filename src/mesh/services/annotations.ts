/**
 * The annotations of global services: which there are, what they may be, and what Cilium makes of a value, by the rules of
 * Cilium 1.20's pkg/annotation (clustermesh.go, k8s.go).
 */

/** What the affinity can be. */
export const AFFINITIES = ['local', 'remote', 'none'] as const;
export type Affinity = (typeof AFFINITIES)[number];

/** A Service's annotations, as Cilium takes them. */
export interface Sharing {
  /** It also uses the backends of the remote clusters. Cilium calls it includeExternal. */
  global: boolean;
  /** The remote clusters may use its backends; false for a Service that is not global. */
  shared: boolean;
  affinity: Affinity;
  /** An affinity that Cilium does not know: it takes it for none and warns in the agent's log. */
  unknownAffinity?: string | undefined;
}

/** Each annotation and the older name that Cilium still reads where the newer is absent. */
export const SERVICE_ANNOTATIONS = {
  global: { name: 'service.cilium.io/global', legacy: 'io.cilium/global-service' },
  shared: { name: 'service.cilium.io/shared', legacy: 'io.cilium/shared-service' },
  affinity: { name: 'service.cilium.io/affinity', legacy: 'io.cilium/service-affinity' },
} as const;

/** On a Namespace; wins over `clustermesh-default-global-namespace` of cilium-config. */
export const NAMESPACE_ANNOTATION = 'clustermesh.cilium.io/global';

type Annotations = Readonly<Record<string, string>> | undefined;

/** What a Service's annotations mean. Values count in any case; shared and affinity count only on a global Service. */
export function readSharing(annotations: Annotations): Sharing {
  const read = ({ name, legacy }: { name: string; legacy: string }): string | undefined =>
    (annotations?.[name] ?? annotations?.[legacy])?.toLowerCase();
  if (read(SERVICE_ANNOTATIONS.global) !== 'true') return { global: false, shared: false, affinity: 'none' };
  const shared = (read(SERVICE_ANNOTATIONS.shared) ?? 'true') === 'true';
  const affinity = read(SERVICE_ANNOTATIONS.affinity) || 'none';
  const known = AFFINITIES.find((one) => one === affinity);
  if (known) return { global: true, shared, affinity: known };
  return { global: true, shared, affinity: 'none', unknownAffinity: affinity };
}

/**
 * The annotations, by name, whose value is none that Cilium knows: it takes any for `global` and `shared` but true for false.
 * An affinity counts, and is judged, on a global Service only: see {@link Sharing.unknownAffinity}.
 */
export function strayValues(annotations: Readonly<Record<string, string>>): [name: string, value: string][] {
  const stray = ({ name, legacy }: { name: string; legacy: string }, known: readonly string[]) => {
    const used = annotations[name] === undefined ? legacy : name;
    const value = annotations[used];
    return value === undefined || known.includes(value.toLowerCase()) ? [] : [[used, value] as [string, string]];
  };
  const { global, shared, affinity } = SERVICE_ANNOTATIONS;
  return [
    ...[global, shared].flatMap((annotation) => stray(annotation, ['true', 'false'])),
    ...(readSharing(annotations).global ? [] : stray(affinity, ['', ...AFFINITIES])),
  ];
}

/** Whether somebody meant a Service to be global: it is, or has a value for that which Cilium takes for false. */
export function isMeantGlobal(annotations: Readonly<Record<string, string>>): boolean {
  const { name, legacy } = SERVICE_ANNOTATIONS.global;
  const value = (annotations[name] ?? annotations[legacy])?.toLowerCase();
  return value !== undefined && value !== 'false';
}

/** @param globalByDefault `clustermesh-default-global-namespace` of the same cluster's cilium-config; absent is true */
export function isNamespaceGlobal(annotations: Annotations, globalByDefault: boolean): boolean {
  const value = annotations?.[NAMESPACE_ANNOTATION];
  return value === undefined ? globalByDefault : value.toLowerCase() === 'true';
}
