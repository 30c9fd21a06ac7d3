/**
 * What Cilium's programs make of global Services. Written from Cilium's own rules, not with meshctl's reading of them in
 * `mesh/services`, so that the two can disagree: pkg/annotation (the annotations), operator/watchers/service_sync.go (what is
 * published), pkg/loadbalancer/writer (which an agent with a traffic policy looks at), pkg/clustermesh/selectbackends.go (which of
 * these it keeps), and pkg/loadbalancer/reconciler (terminating ones take new connections only where no active one is left).
 */

import { type EndpointConditions, isEndpointReady } from '../objects.ts';

/** EndpointSlice conditions of a backend in the agent's own cluster; what a peer published has none. */
export interface KnownBackend {
  /** The cluster that it runs in. */
  cluster: string;
  conditions?: EndpointConditions | undefined;
  /** That its EndpointSlice names; nothing that a peer published has one. */
  nodeName?: string | undefined;
}

type Annotations = Readonly<Record<string, string>> | undefined;
type State = 'active' | 'terminating' | 'quarantined';

const PREFIX = 'service.cilium.io/';
/** Names from before Cilium 1.12. */
const OLDER: Readonly<Record<string, string>> = {
  global: 'io.cilium/global-service',
  shared: 'io.cilium/shared-service',
  affinity: 'io.cilium/service-affinity',
};

function annotationOf(annotations: Annotations, name: string): string | undefined {
  const all = annotations ?? {};
  for (const key of [`${PREFIX}${name}`, OLDER[name] ?? '']) {
    const value = all[key];
    if (value !== undefined) return value.toLowerCase();
  }
  return undefined;
}

/** Whether the Service has backends of other clusters too. */
export function includesExternal(annotations: Annotations): boolean {
  return annotationOf(annotations, 'global') === 'true';
}

/** Whether other clusters may have its backends. */
export function isShared(annotations: Annotations): boolean {
  if (!includesExternal(annotations)) return false;
  const value = annotationOf(annotations, 'shared');
  return value === undefined || value === 'true';
}

/** Whether a namespace takes part. @param byDefault `clustermesh-default-global-namespace` */
export function takesPart(annotations: Annotations, byDefault: boolean): boolean {
  const own = annotations?.['clustermesh.cilium.io/global'];
  return own === undefined ? byDefault : own.toLowerCase() === 'true';
}

/** Whether a backend goes to the etcd: the operator leaves out what neither is ready nor serves. */
export function isOffered(endpoint: Pick<KnownBackend, 'conditions'>): boolean {
  return isEndpointReady(endpoint) || endpoint.conditions?.serving === true;
}

function stateOf(backend: KnownBackend): State {
  const { terminating, serving } = backend.conditions ?? {};
  if (isEndpointReady(backend)) return 'active';
  return terminating && serving ? 'terminating' : 'quarantined';
}

/** What an agent looks at at all: with the internal policy Local, of the backends whose node it knows only those on its own. */
export function inReachOf<B extends KnownBackend>(
  nodeName: string,
  policy: string | undefined,
  known: readonly B[],
): B[] {
  if (policy !== 'Local') return [...known];
  return known.filter((backend) => !backend.nodeName || backend.nodeName === nodeName);
}

/** Those that new connections go to from a pod of cluster `own`. */
export function usedBackends<B extends KnownBackend>(own: string, annotations: Annotations, known: readonly B[]): B[] {
  const counts = { local: 0, localActive: 0, remote: 0 };
  for (const backend of known) {
    const state = stateOf(backend);
    if (state === 'quarantined') continue;
    if (backend.cluster !== own) counts.remote++;
    else {
      counts.local++;
      if (state === 'active') counts.localActive++;
    }
  }
  let useLocal = true;
  let useRemote = includesExternal(annotations);
  if (useRemote) {
    const affinity = annotationOf(annotations, 'affinity');
    if (affinity === 'local') useRemote = counts.localActive === 0 && counts.remote > 0;
    if (affinity === 'remote') useLocal = counts.remote === 0 && counts.local > 0;
  }
  const kept = known.filter(({ cluster }) => (cluster === own ? useLocal : useRemote));
  const active = kept.filter((backend) => stateOf(backend) === 'active');
  return active.length > 0 ? active : kept.filter((backend) => stateOf(backend) === 'terminating');
}
