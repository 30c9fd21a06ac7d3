import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { enumerated } from '../counted.ts';
import type { KubeObject, ObjectRef } from '../objects/kube-object.ts';
import { isGoing, requireStaying } from '../plan/going.ts';
import type { Step } from '../plan/plan.ts';
import { readSharing, SERVICE_ANNOTATIONS } from '../services/annotations.ts';
import { serviceImportOf } from '../services/derived.ts';
import { type GlobalIntent, planGlobalService, refuseDerived, serviceRef } from '../services/global-service.ts';
import { serviceKey } from '../services/services.ts';
import type { FileService, MeshSpec } from './mesh-spec.ts';

/** A Service that a file names and clusters do not have. */
export interface MissingService {
  service: string;
  /** That lack it. */
  clusters: readonly string[];
  /** Where it has to come to, for the file to be applied. */
  contexts: readonly string[];
  /** Contexts of clusters that have it, which can be copied from: those that it is named for, else any other of the files'. */
  having: readonly string[];
  /** Clusters among these that it is not named for and in which it is not global: by copying it becomes that, too. */
  madeGlobal: readonly string[];
  /** The file's clusters that were not read, and may have it. */
  unread: readonly string[];
}

/** What has to be done before a file that names missing Services is applied: without it, nothing of the file is. */
export function missingServicesHint(missing: readonly MissingService[]): string {
  const elsewhere = missing.filter(({ having }) => having.length > 0);
  const nowhere = missing.filter(({ having, unread }) => having.length + unread.length === 0);
  const perhaps = missing.filter((one) => !elsewhere.includes(one) && !nowhere.includes(one));
  const doubt = perhaps.length > 0 ? [doubtOf(perhaps)] : [];
  const commands = [...nowhere.flatMap(creating), ...elsewhere.map(copying)].join(' && ');
  if (commands === '') return doubt.join('');
  const made = enumerated([...new Set(elsewhere.flatMap(({ madeGlobal }) => madeGlobal))]);
  const effect = made === '' ? '' : `, which makes it global in ${made} too`;
  const others = elsewhere.length > 0 ? `, and copy the others${effect}` : '';
  const first =
    nowhere.length > 0
      ? `Take out of the file what none of its clusters has (services: ${namesOf(nowhere)}), or create it, here with port 80${others}`
      : `Name in the file the clusters that have it, or copy it${effect}`;
  return [...doubt, `${first}: ${commands}`].join(' ');
}

/** Of those that no cluster has that was read. */
function doubtOf(missing: readonly MissingService[]): string {
  const silent = [...new Set(missing.flatMap(({ unread }) => unread))];
  return `Whether ${namesOf(missing)} can be copied from ${silent.join(' or ')} is known once ${silent.length === 1 ? 'that answers' : 'they answer'}.`;
}

function namesOf(missing: readonly MissingService[]): string {
  return enumerated(missing.map(({ service }) => service));
}

function creating({ service, contexts }: MissingService): string[] {
  const [namespace = '', name = ''] = service.split('/');
  const words = ['create', 'service', 'clusterip', name, '--tcp', '80'];
  return contexts.map((context) => kubectlCommand({ context, namespace }, words));
}

function copying({ service, contexts, having }: MissingService): string {
  return meshctlCommand('service global', { context: [...having, ...contexts] }, [service, '--create-missing']);
}

/** The Services of one cluster that are global, or that the file names. */
export interface ClusterServiceObjects {
  context: string;
  /** Its name in the mesh. */
  cluster: string;
  /** By `namespace/name`. */
  services: ReadonlyMap<string, KubeObject>;
  /** Namespaces of the file's Services that are being deleted, by name. */
  goingNamespaces?: ReadonlyMap<string, KubeObject> | undefined;
}

export interface FileServicesPlan {
  steps: readonly Step[];
  /** What the file names and clusters do not have: by hand or by whatever deploys it, it has to come first. */
  missing: readonly MissingService[];
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
 * @param clusters as far as they were read: of a Service that another one may have nobody knows that it is in none
 * @throws MeshctlError `Rejected` for one that has no backends of its own to share, and for one that Cilium's operator derives and keeps
 * otherwise
 */
export function planServices(clusters: readonly ClusterServiceObjects[], spec: MeshSpec): FileServicesPlan {
  const wanted = new Map<string, Set<string>>();
  const missing: MissingService[] = [];
  const unread = spec.clusters.flatMap(({ name }) => (clusters.some(({ cluster }) => cluster === name) ? [] : [name]));
  const steps = spec.services.flatMap((service) => {
    const key = serviceKey(service);
    const places = service.clusters ?? service.among;
    const named = clusters.filter(({ cluster }) => places.includes(cluster));
    const having = named.filter(({ services }) => services.has(key));
    const isNowhere = having.length === 0 && !unread.some((name) => places.includes(name));
    const lacking = service.clusters || isNowhere ? named.filter((one) => !having.includes(one)) : [];
    if (lacking.length > 0) {
      // Where it is not named it may be kept apart: copying makes it global in what it is copied from.
      const sources = having.length > 0 ? having : clusters.filter(({ services }) => services.has(key));
      const isGlobal = (live?: KubeObject) => readSharing(live?.metadata.annotations).global;
      missing.push({
        service: key,
        clusters: lacking.map(({ cluster }) => cluster),
        // Of one that is global wherever it is, one will do.
        contexts: (service.clusters ? lacking : lacking.slice(0, 1)).map(({ context }) => context),
        having: sources.map(({ context }) => context),
        madeGlobal: sources
          .filter((one) => !having.includes(one) && !isGlobal(one.services.get(key)))
          .map(({ cluster }) => cluster),
        unread,
      });
    }
    wanted.set(key, new Set([...(wanted.get(key) ?? []), ...having.map(({ cluster }) => cluster)]));
    return having.flatMap(({ context, services, goingNamespaces }) => {
      const live = services.get(key);
      const ref = serviceRef(service.namespace, service.name);
      if (live && isAsWritten(service, live)) return [keepStep(context, ref, live)];
      refuseDerived(ref, [{ context, live }], `Take ${key} out of the file (services).`);
      const goingNamespace = goingNamespaces?.get(service.namespace);
      return planGlobalService(
        ref,
        [{ context, namespaceExists: true, goingNamespace, live }],
        intentFor(service, live),
      ).steps;
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
  requireStaying(steps, []);
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
