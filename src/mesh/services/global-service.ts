import { kubectlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { describeRef, type KubeObject, type ObjectRef } from '../objects/kube-object.ts';
import { LAST_APPLIED } from '../objects/ownership.ts';
import { serviceSpec } from '../objects/service.ts';
import { requireStaying } from '../plan/going.ts';
import type { Change, Plan, Step } from '../plan/plan.ts';
import { type Affinity, readSharing, SERVICE_ANNOTATIONS } from './annotations.ts';
import { serviceImportOf } from './derived.ts';
import { isExternalName, ownClusterOnly } from './own-cluster.ts';

/** A Service as one cluster has it, for planning. */
export interface ServiceSite {
  context: string;
  namespaceExists: boolean;
  /** Its namespace, where that is being deleted, with all that is in it and nothing more to come. */
  goingNamespace?: KubeObject | undefined;
  /** Absent where there is none. */
  live?: KubeObject | undefined;
}

/** What the Service shall be. */
export type GlobalIntent =
  | {
      /** Left as it is where absent. */
      affinity?: Affinity | undefined;
      shared?: boolean | undefined;
      /** Copy the Service to the clusters that lack it. */
      createMissing: boolean;
    }
  | 'not-global';

type Annotations = Readonly<Record<string, string>>;

/** A Service by its name. */
export function serviceRef(namespace: string, name: string): ObjectRef {
  return { apiVersion: 'v1', kind: 'Service', namespace, name };
}

/**
 * The steps that make a Service global in all these clusters, or no longer global. Annotations under their older names
 * get the newer ones, with the value that counts.
 * @throws MeshctlError `NotFound` where a cluster lacks the Service (unless it may be copied) or its namespace, `Rejected`
 * for one that has no backends of its own to share, that is of use in its own cluster only or that Cilium's operator derives, `Conflict` for one that is being deleted, or whose namespace is
 */
export function planGlobalService(ref: ObjectRef, sites: readonly ServiceSite[], intent: GlobalIntent): Plan {
  const source = sites.find(({ live }) => live)?.live;
  if (!source) throw missing(ref, sites, 'Check its name and namespace, or name the contexts that have it.');
  const lacking = sites.filter(({ live }) => !live);
  if (lacking.length > 0) requireCopyable(ref, lacking, intent);
  refuseDerived(ref, sites);
  if (intent !== 'not-global') {
    refuseExternalName(ref, sites);
    refuseOwnClusterOnly(ref, sites);
  }
  const steps = sites.map((site) => planSite(ref, site, source, intent));
  const homes = sites.map(({ context, goingNamespace }) => ({
    context,
    namespace: ref.namespace ?? '',
    goingNamespace,
  }));
  requireStaying(steps, homes);
  return { steps };
}

/** One that is global all the same, because it was made that later, say, can be taken out like any other. */
function refuseExternalName(ref: ObjectRef, sites: readonly ServiceSite[]): void {
  for (const { context, live } of sites) {
    if (!live || !isExternalName(serviceSpec(live))) continue;
    throw new MeshctlError('Rejected', `context "${context}": ${describeRef(ref)} is of type ExternalName`, {
      hint: 'It has no backends that could be shared; make it a Service with a selector.',
      details: { context, object: describeRef(ref) },
    });
  }
}

/** Only what is to become global: what is already can be planned like any other, and `service list` tells of it. */
function refuseOwnClusterOnly(ref: ObjectRef, sites: readonly ServiceSite[]): void {
  for (const { context, live } of sites) {
    const { name, namespace } = ref;
    const why = live && ownClusterOnly({ namespace, name, selector: serviceSpec(live).selector });
    if (!why || readSharing(live.metadata.annotations).global) continue;
    throw new MeshctlError('Rejected', `context "${context}": ${describeRef(ref)} ${why}`, {
      hint: 'If global, it would lead to other clusters too, which refuse clients or answer for themselves.',
      details: { context, object: describeRef(ref) },
    });
  }
}

/**
 * What the operator keeps as its ServiceImport has it would be put back by it.
 * @param advice what to do first, as a sentence
 * @throws MeshctlError `Rejected`
 */
export function refuseDerived(
  ref: ObjectRef,
  sites: readonly Pick<ServiceSite, 'context' | 'live'>[],
  advice?: string,
): void {
  for (const { context, live } of sites) {
    const source = live && serviceImportOf(live);
    if (source === undefined) continue;
    throw new MeshctlError(
      'Rejected',
      `context "${context}": Cilium's operator derives ${describeRef(ref)} from ServiceImport ${source}, and keeps it as that says`,
      {
        hint: [
          ...(advice ? [advice] : []),
          `It is there, and global, as long as a cluster has ServiceExport ${ref.namespace}/${source}.`,
        ].join(' '),
        details: { context, object: describeRef(ref) },
      },
    );
  }
}

function requireCopyable(ref: ObjectRef, lacking: readonly ServiceSite[], intent: GlobalIntent): void {
  if (intent === 'not-global') throw missing(ref, lacking, 'Leave those contexts out.');
  if (!intent.createMissing) throw missing(ref, lacking, 'Add --create-missing to copy it there, or leave them out.');
  const homeless = lacking.filter(({ namespaceExists }) => !namespaceExists).map(({ context }) => context);
  if (homeless.length === 0) return;
  throw new MeshctlError('NotFound', `no namespace ${ref.namespace} in ${contexts(homeless)}`, {
    hint: homeless
      .map((context) => kubectlCommand({ context }, ['create', 'namespace', ref.namespace ?? '']))
      .join(' && '),
    details: { contexts: homeless, namespace: ref.namespace },
  });
}

function missing(ref: ObjectRef, sites: readonly ServiceSite[], hint: string): MeshctlError {
  const names = sites.map(({ context }) => context);
  return new MeshctlError('NotFound', `no ${describeRef(ref)} in ${contexts(names)}`, {
    hint,
    details: { contexts: names, object: describeRef(ref) },
  });
}

function contexts(names: readonly string[]): string {
  return `context${names.length === 1 ? '' : 's'} ${names.map((name) => `"${name}"`).join(', ')}`;
}

function planSite(ref: ObjectRef, { context, live }: ServiceSite, source: KubeObject, intent: GlobalIntent): Step {
  const present = (live ?? source).metadata.annotations ?? {};
  const edits = annotationEdits(present, intent);
  if (!live) {
    const object = copyOf(source, edited(present, edits));
    const changes = fieldsOf(object);
    const why = 'this cluster lacks it';
    return {
      cluster: context,
      action: 'create',
      object: ref,
      changes,
      why,
      write: { method: 'create', object },
      wanted: object,
    };
  }
  const changes = changesBy(edits, present);
  const wanted = manifestOf(live, edits);
  if (changes.length === 0)
    return { cluster: context, action: 'keep', object: ref, changes, why: 'as it should be', before: live, wanted };
  const why = intent === 'not-global' ? 'takes no part in the mesh any more' : 'takes part in the mesh';
  return {
    cluster: context,
    action: 'update',
    object: ref,
    changes,
    why,
    // Anew for what is there by then: a former name may have another value, which goes over to the present one.
    write: {
      method: 'edit',
      edit({ metadata: { annotations = {} } }) {
        const now = annotationEdits(annotations, intent);
        return changesBy(now, annotations).length === 0 ? undefined : { patch: { metadata: { annotations: now } } };
      },
    },
    before: live,
    wanted,
  };
}

/** A live Service with these annotations, as a repository would hold it: without what the API server fills in, and what `kubectl apply` noted there. */
function manifestOf(live: KubeObject, edits: Readonly<Record<string, string | null>>): KubeObject {
  const { namespace, name, labels, annotations } = live.metadata;
  const merged = Object.entries<string | null>({ ...annotations, ...edits }).filter(
    (entry): entry is [string, string] => entry[1] !== null && entry[0] !== LAST_APPLIED,
  );
  const { clusterIP, clusterIPs: _addresses, ...spec } = (live.spec ?? {}) as CopiedSpec & { clusterIPs?: string[] };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      ...(namespace === undefined ? {} : { namespace }),
      name,
      ...(labels ? { labels } : {}),
      ...(merged.length > 0 ? { annotations: Object.fromEntries(merged) } : {}),
    },
    spec: { ...(clusterIP === 'None' ? { clusterIP } : {}), ...spec },
  };
}

const ANNOTATION_PATH = /^metadata\.annotations\[(.+)\]$/;

function changeOf(name: string, from: string | undefined, to: string | null): Change {
  const path = `metadata.annotations[${name}]`;
  return { path, ...(from === undefined ? {} : { from }), ...(to === null ? {} : { to }) };
}

function changesBy(edits: Readonly<Record<string, string | null>>, present: Annotations): Change[] {
  return Object.entries(edits)
    .filter(([name, value]) => (present[name] ?? null) !== value)
    .map(([name, value]) => changeOf(name, present[name], value));
}

/** The annotations that a step changes: absent `from`, it is new; absent `to`, it goes. */
export function annotationChanges(
  step: Pick<Step, 'changes'> | undefined,
): { annotation: string; from?: unknown; to?: unknown }[] {
  return (step?.changes ?? []).flatMap(({ path, ...values }) => {
    const annotation = ANNOTATION_PATH.exec(path)?.[1];
    return annotation === undefined ? [] : [{ annotation, ...values }];
  });
}

/** By annotation: its value, or null for one that goes. */
function annotationEdits(present: Annotations, intent: GlobalIntent): Record<string, string | null> {
  const edits: Record<string, string | null> = {};
  const wanted =
    intent === 'not-global'
      ? {}
      : {
          global: 'true',
          shared: intent.shared === undefined ? undefined : String(intent.shared),
          affinity: intent.affinity,
        };
  for (const [key, { name, legacy }] of Object.entries(SERVICE_ANNOTATIONS)) {
    const value = (wanted as Record<string, string | undefined>)[key];
    if (present[legacy] !== undefined) edits[legacy] = null;
    if (intent === 'not-global') {
      if (present[name] !== undefined) edits[name] = null;
    } else if (value !== undefined) edits[name] = value;
    else if (present[legacy] !== undefined && present[name] === undefined) edits[name] = present[legacy];
  }
  return edits;
}

function edited(present: Annotations, edits: Readonly<Record<string, string | null>>): Record<string, string> {
  const mesh = Object.values(SERVICE_ANNOTATIONS).map(({ name }) => name);
  const result = {
    ...Object.fromEntries(mesh.flatMap((name) => (present[name] === undefined ? [] : [[name, present[name]]]))),
    ...edits,
  };
  return Object.fromEntries(Object.entries(result).filter((entry): entry is [string, string] => entry[1] !== null));
}

/** All that decides whom a new Service leads to, and from where: what it brings along from where it is copied, too. */
function fieldsOf({ metadata: { annotations = {} }, spec = {} }: KubeObject): Change[] {
  return [
    ...Object.entries(annotations).map(([name, value]) => changeOf(name, undefined, value)),
    ...Object.entries(spec as object).map(([name, value]) => ({ path: `spec.${name}`, to: value })),
  ];
}

interface CopiedSpec {
  clusterIP?: string;
  ipFamilyPolicy?: string;
  sessionAffinity?: string;
  sessionAffinityConfig?: object;
  publishNotReadyAddresses?: boolean;
  internalTrafficPolicy?: string;
  selector?: Record<string, string>;
  ports?: { nodePort?: number; [field: string]: unknown }[];
}

/**
 * The Service for another cluster: its selector and ports, and how it chooses of its backends, inside the cluster only. Addresses, node ports and load
 * balancers belong to the cluster that it comes from, labels to whatever deploys it there.
 */
function copyOf(source: KubeObject, annotations: Record<string, string>): KubeObject {
  const { namespace, name } = source.metadata;
  const {
    clusterIP,
    ipFamilyPolicy = 'SingleStack',
    selector,
    ports = [],
    ...spec
  } = (source.spec ?? {}) as CopiedSpec;
  const { sessionAffinity, sessionAffinityConfig, publishNotReadyAddresses, internalTrafficPolicy } = spec;
  const choosing = { sessionAffinity, sessionAffinityConfig, publishNotReadyAddresses, internalTrafficPolicy };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...(namespace === undefined ? {} : { namespace }), name, annotations },
    spec: {
      type: 'ClusterIP',
      ...(clusterIP === 'None' ? { clusterIP } : {}),
      // A cluster of one family refuses one that requires both, and backends are used over their own family only.
      ...(ipFamilyPolicy === 'SingleStack' ? {} : { ipFamilyPolicy: 'PreferDualStack' }),
      ...Object.fromEntries(Object.entries(choosing).filter(([, value]) => value !== undefined)),
      ...(selector ? { selector } : {}),
      ports: ports.map(({ nodePort: _nodePort, ...port }) => port),
    },
  };
}
