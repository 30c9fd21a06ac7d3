/**
 * The annotations of global services: which there are, what they may be, and what Cilium makes of a value, by the rules of
 * Cilium 1.20's pkg/annotation (clustermesh.go, k8s.go).
 */

import { isOn } from '../cilium/datapath.ts';
import type { CiliumConfig } from '../cilium/known-keys.ts';
import { type CiliumVersion, isSince, versionOfImage } from '../cilium/versions/versions.ts';
import { kubectlCommand } from '../command-line.ts';

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

/** On a Namespace, from Cilium 1.19 on; wins over `clustermesh-default-global-namespace` of cilium-config. */
export const NAMESPACE_ANNOTATION = 'clustermesh.cilium.io/global';

type Annotations = Readonly<Record<string, string>> | undefined;

type ServiceAnnotation = keyof typeof SERVICE_ANNOTATIONS;

/** The values that Cilium knows; an empty affinity is none to it. */
const KNOWN: Readonly<Record<ServiceAnnotation, readonly string[]>> = {
  global: ['true', 'false'],
  shared: ['true', 'false'],
  affinity: ['', ...AFFINITIES],
};

/** An annotation as a Service has it, and its value as Cilium compares it; undefined where it has it under neither name. */
function annotationOf(annotations: Annotations, kind: ServiceAnnotation) {
  const { name: newer, legacy } = SERVICE_ANNOTATIONS[kind];
  const name = annotations?.[newer] === undefined ? legacy : newer;
  const written = annotations?.[name];
  return written === undefined ? undefined : { name, written, value: written.toLowerCase() };
}

/** What a Service's annotations mean. Values count in any case; shared and affinity count only on a global Service. */
export function readSharing(annotations: Annotations): Sharing {
  if (annotationOf(annotations, 'global')?.value !== 'true') return { global: false, shared: false, affinity: 'none' };
  const shared = (annotationOf(annotations, 'shared')?.value ?? 'true') === 'true';
  const affinity = readAffinity(annotations);
  if (affinity !== undefined) return { global: true, shared, affinity };
  return { global: true, shared, affinity: 'none', unknownAffinity: annotationOf(annotations, 'affinity')?.value };
}

/** The affinity that a Service has, were it global; undefined for one that Cilium does not know. */
export function readAffinity(annotations: Annotations): Affinity | undefined {
  const value = annotationOf(annotations, 'affinity')?.value || 'none';
  return AFFINITIES.find((one) => one === value);
}

/** Whether the value of an annotation is none that Cilium knows. */
export function isStray(kind: ServiceAnnotation, annotations: Annotations): boolean {
  const found = annotationOf(annotations, kind);
  return found !== undefined && !KNOWN[kind].includes(found.value);
}

/**
 * The annotations, by name, whose value is none that Cilium knows: it takes any for `global` and `shared` but true for false.
 * An affinity counts, and is judged, on a global Service only: see {@link Sharing.unknownAffinity}.
 */
export function strayValues(annotations: Readonly<Record<string, string>>): [name: string, value: string][] {
  const kinds: ServiceAnnotation[] = [
    'global',
    'shared',
    ...(readSharing(annotations).global ? [] : ['affinity' as const]),
  ];
  return kinds
    .filter((kind) => isStray(kind, annotations))
    .flatMap((kind) => annotationOf(annotations, kind) ?? [])
    .map(({ name, written }) => [name, written]);
}

/** Whether somebody meant a Service to be global: it is, or has a value for that which Cilium takes for false. */
export function isMeantGlobal(annotations: Readonly<Record<string, string>>): boolean {
  return (annotationOf(annotations, 'global')?.value ?? 'false') !== 'false';
}

/** From here on Cilium knows of global namespaces (pkg/clustermesh/namespace); before, all take part, whatever they say. */
const NAMESPACES_SINCE: CiliumVersion = { major: 1, minor: 19, patch: 0, suffix: '' };

/** Whether a Cilium heeds what namespaces say, and the option. @param image of its agents; one without a version is taken to */
export function heedsNamespaces(image: string | undefined): boolean {
  return isSince(versionOfImage(image ?? ''), NAMESPACES_SINCE);
}

/** Whether namespaces that say nothing take part in the mesh. @param image of the agents */
export function isGlobalByDefault(ciliumConfig: CiliumConfig, image: string | undefined): boolean {
  return !heedsNamespaces(image) || ciliumConfig['clustermesh-default-global-namespace'] !== 'false';
}

/** Whether Cilium's operator writes EndpointSlices of what other clusters have, for Services that are to have them. */
export function mirrorsOthers(ciliumConfig: CiliumConfig): boolean {
  return isOn(ciliumConfig, 'clustermesh-enable-endpoint-sync');
}

/** Namespaces with those of their annotations that count. @param image of the agents */
export function heededNamespaces<T extends ReadonlyMap<string, Readonly<Record<string, string>>>>(
  namespaces: T,
  image: string | undefined,
): T | Map<string, Record<string, string>> {
  return heedsNamespaces(image) ? namespaces : new Map([...namespaces.keys()].map((name) => [name, {}]));
}

/** @param globalByDefault `clustermesh-default-global-namespace` of the same cluster's cilium-config; absent is true */
export function isNamespaceGlobal(annotations: Annotations, globalByDefault: boolean): boolean {
  const value = annotations?.[NAMESPACE_ANNOTATION];
  return value === undefined ? globalByDefault : value.toLowerCase() === 'true';
}

/** The command that makes a namespace global, also where it says that it is not. */
export function makeNamespaceGlobal(context: string, namespace: string): string {
  const words = ['annotate', '--overwrite', 'namespace', namespace, `${NAMESPACE_ANNOTATION}=true`];
  return kubectlCommand({ context }, words);
}
