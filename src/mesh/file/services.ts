import type { KubeObject, ObjectRef } from '../objects/kube-object.ts';
import { isGoing, requireStaying } from '../plan/going.ts';
import type { Step } from '../plan/plan.ts';
import { readSharing, SERVICE_ANNOTATIONS } from '../services/annotations.ts';
import { serviceImportOf } from '../services/derived.ts';
import { type GlobalIntent, planGlobalService, refuseDerived, serviceRef } from '../services/global-service.ts';
import { serviceKey } from '../services/services.ts';
import type { FileService, MeshSpec } from './mesh-spec.ts';

/** What has to be done before a file that names missing Services is applied: without it, nothing of the file is. */
export const SERVICES_FIRST =
  'Deploy the missing Services there first, or name in the file the clusters that have them.';

/** The Services of one cluster that are global, or that the file names. */
export interface ClusterServiceObjects {
  context: string;
  /** Its name in the mesh. */
  cluster: string;
  /** By `namespace/name`. */
  services: ReadonlyMap<string, KubeObject>;
}

export interface FileServicesPlan {
  steps: readonly Step[];
  /** What the file names and clusters do not have: by hand or by whatever deploys it, it has to come first. */
  missing: readonly { service: string; clusters: readonly string[] }[];
  /** What is global and the file does not name. */
  extra: readonly { service: string; clusters: readonly string[] }[];
}

/** Whether a Service is worth keeping of all that a cluster has. */
export function isOfFile(service: KubeObject, spec: MeshSpec): boolean {
  const { namespace, name } = service.metadata;
  const isNamed = spec.services.some((one) => one.namespace === namespace && one.name === name);
  return isNamed || isOwnGlobal(service);
}

/** Whether it is global by the will of whoever keeps the file: what Cilium's operator derives is not. */
function isOwnGlobal(service: KubeObject): boolean {
  return readSharing(service.metadata.annotations).global && serviceImportOf(service) === undefined;
}

/**
 * The annotations that make the services of a file global where it says so.
 * @throws MeshctlError `Rejected` for one that has no backends of its own to share, and for one that Cilium's operator derives and keeps
 * otherwise
 */
export function planServices(clusters: readonly ClusterServiceObjects[], spec: MeshSpec): FileServicesPlan {
  const wanted = new Map<string, Set<string>>();
  const missing: { service: string; clusters: string[] }[] = [];
  const steps = spec.services.flatMap((service) => {
    const key = serviceKey(service);
    const named = clusters.filter(({ cluster }) => (service.clusters ?? service.among).includes(cluster));
    const having = named.filter(({ services }) => services.has(key));
    const lacking = service.clusters || having.length === 0 ? named.filter((one) => !having.includes(one)) : [];
    if (lacking.length > 0) missing.push({ service: key, clusters: lacking.map(({ cluster }) => cluster) });
    wanted.set(key, new Set([...(wanted.get(key) ?? []), ...having.map(({ cluster }) => cluster)]));
    return having.flatMap(({ context, services }) => {
      const live = services.get(key);
      const ref = serviceRef(service.namespace, service.name);
      if (live && isAsWritten(service, live)) return [keepStep(context, ref, live)];
      refuseDerived(ref, [{ context, live }], `Take ${key} out of the file (services).`);
      return planGlobalService(ref, [{ context, namespaceExists: true, live }], intentFor(service, live)).steps;
    });
  });
  const managed = clusters.filter(({ cluster }) => spec.servicesOf.includes(cluster));
  const globalIn = new Map<string, string[]>();
  for (const { cluster, services } of managed) {
    for (const [key, service] of services) {
      if (!isOwnGlobal(service) || wanted.get(key)?.has(cluster)) continue;
      globalIn.set(key, [...(globalIn.get(key) ?? []), cluster]);
    }
  }
  requireStaying(steps);
  return {
    steps,
    missing,
    extra: [...globalIn].sort(([a], [b]) => a.localeCompare(b)).map(([service, of]) => ({ service, clusters: of })),
  };
}

/** The services that no file names, no longer global. */
export function planExtraServices(clusters: readonly ClusterServiceObjects[], { extra }: FileServicesPlan): Step[] {
  return extra.flatMap(({ service, clusters: of }) =>
    clusters
      .filter(({ cluster }) => of.includes(cluster))
      .flatMap(({ context, services }) => {
        const live = services.get(service);
        // What is on its way out takes its annotations along.
        if (!live || isGoing(live)) return [];
        const ref = serviceRef(live.metadata.namespace ?? '', live.metadata.name);
        return planGlobalService(ref, [{ context, namespaceExists: true, live }], 'not-global').steps;
      }),
  );
}

/** Whether it is global as the file has it, under whichever names of the annotations. */
function isAsWritten({ affinity = 'none', shared = true }: FileService, { metadata }: KubeObject): boolean {
  const present = readSharing(metadata.annotations);
  return (
    present.global &&
    present.unknownAffinity === undefined &&
    present.affinity === affinity &&
    present.shared === shared
  );
}

function keepStep(context: string, object: ObjectRef, live: KubeObject): Step {
  return { cluster: context, action: 'keep', object, changes: [], why: 'as it should be', before: live };
}

/** What the file does not say is the default: it is written only where something else is there. */
function intentFor({ affinity, shared }: FileService, live: KubeObject | undefined): GlobalIntent {
  const annotations = { ...live?.metadata.annotations, [SERVICE_ANNOTATIONS.global.name]: 'true' };
  const present = readSharing(annotations);
  const otherAffinity = present.affinity !== 'none' || present.unknownAffinity !== undefined;
  return {
    affinity: affinity === 'none' || affinity === undefined ? (otherAffinity ? 'none' : undefined) : affinity,
    shared: (shared ?? true) === present.shared ? undefined : (shared ?? true),
    createMissing: false,
  };
}
