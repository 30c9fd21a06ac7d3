import { shellWord } from '../command-line.ts';
import type { Change } from '../plan/plan.ts';
import { FIELD_MANAGER } from '../plan/plan.ts';
import { describeRef, type KubeObject, type ManagedFieldsEntry, type ObjectRef } from './kube-object.ts';

/** The label by which tools mark what they made. */
export const MANAGED_BY = 'app.kubernetes.io/managed-by';
/** The annotations by which Helm knows an object of a release again. */
export const RELEASE_NAME = 'meta.helm.sh/release-name';
export const RELEASE_NAMESPACE = 'meta.helm.sh/release-namespace';
/** The label for which part of meshctl an object is. */
export const COMPONENT = 'app.kubernetes.io/component';

/** Whether a part of meshctl has made an object, by its labels: perhaps another run of it. */
export function isMadeBy(part: string, { metadata: { labels = {} } }: KubeObject): boolean {
  return labels[MANAGED_BY] === FIELD_MANAGER && labels[COMPONENT] === part;
}

/** A field that another manager has set. */
export interface OwnedField {
  /** Written as in {@link Change}. */
  path: string;
  manager: string;
}

/**
 * Who else made an object, for people: `Helm release cilium`; undefined for what meshctl made or what nobody marked.
 * Marks of tools come before managedFields, because a tool may have applied what meshctl rendered.
 */
export function foreignOwner(object: KubeObject | undefined): string | undefined {
  const tool = toolOwner(object);
  if (tool !== undefined || !object) return tool;
  const { managedFields = [] } = object.metadata;
  const [first] = managedFields.filter(({ subresource }) => subresource === undefined);
  const ours = managedFields.some(({ manager }) => manager === FIELD_MANAGER);
  return first && !ours ? (first.manager ?? 'another manager') : undefined;
}

/** Tools that make objects again and again from a source of their own. From a chart: `flux-helm` by a HelmRelease, `terraform-helm` by a helm_release. */
export type ToolKind =
  | 'helm'
  | 'flux-helm'
  | 'terraform-helm'
  | 'flux'
  | 'argo-cd'
  | 'terraform'
  | 'pulumi'
  | 'cert-manager'
  | 'certgen';

/** The tool that makes an object. */
export interface Tool {
  kind: ToolKind;
  /** For people: `Helm release cilium`. */
  says: string;
  /** What it is in the tool's own words, where that is known: a release, a HelmRelease or Kustomization, a Certificate. */
  name?: string | undefined;
  /**
   * What Flux's own program is told of it, e.g. `helmrelease cilium -n flux-system`: it is not in the cluster of the object where a
   * Flux elsewhere installs into it (spec.kubeConfig of a HelmRelease), so that no context is named.
   */
  flux?: string | undefined;
}

/** By which name each tool writes (managedFields): its own default, or what the API server takes from its user agent. */
const WRITERS: readonly [manager: RegExp, tool: Tool][] = [
  [/^helm$/, { kind: 'helm', says: 'Helm' }],
  [/^terraform-provider-helm/, { kind: 'terraform-helm', says: 'Terraform' }],
  [/^argocd(-|$)/, { kind: 'argo-cd', says: 'Argo CD' }],
  [/^helm-controller$/, { kind: 'flux-helm', says: 'Flux' }],
  [/^kustomize-controller$/, { kind: 'flux', says: 'Flux' }],
  [/^(Terraform|HashiCorp)$/, { kind: 'terraform', says: 'Terraform' }],
  [/^pulumi-kubernetes/, { kind: 'pulumi', says: 'Pulumi' }],
  // The program of the chart's CronJob (templates/clustermesh-apiserver/tls-cronjob).
  [/^cilium-certgen$/, { kind: 'certgen', says: 'cilium-certgen' }],
];

/** The tool that makes an object, by its marks, else by who writes it. */
export function toolOf(object: KubeObject | undefined): Tool | undefined {
  if (!object) return undefined;
  const { labels = {}, annotations = {} } = object.metadata;
  const marks = marksOf(object);
  const written = toolsThatWrote(object);
  const last = written.find(({ kind }) => marks.some((mark) => mark.kind === kind));
  const mark = marks.find(({ kind }) => kind === last?.kind) ?? marks[0];
  if (mark) return mark;
  // By Helm's own name others write too: what is Helm's has a mark.
  const writer = written.find(({ kind }) => kind !== 'helm');
  if (writer) return writer;
  if (labels[MANAGED_BY] === 'Helm') return { kind: 'helm', says: 'Helm' };
  const certificate = annotations['cert-manager.io/certificate-name'];
  if (certificate === undefined) return undefined;
  return { kind: 'cert-manager', says: `cert-manager Certificate ${certificate}`, name: certificate };
}

/**
 * Tools by their marks. A tool that takes an object over leaves the marks of the former one there: then both are, and who wrote
 * last has it, or where that is not told, who writes it again by itself.
 */
function marksOf(object: KubeObject): Tool[] {
  const { labels = {}, annotations = {} } = object.metadata;
  const kustomization = labels['kustomize.toolkit.fluxcd.io/name'];
  // Argo CD renders charts without Helm's release. It tracks what it made by an annotation, before 3.0 by a label: app.kubernetes.io/instance,
  // which charts set too, unless another key is chosen (application.instanceLabelKey). That it has written there tells as well.
  const isTracked =
    annotations['argocd.argoproj.io/tracking-id'] !== undefined ||
    labels['argocd.argoproj.io/instance'] !== undefined ||
    toolsThatWrote(object).some(({ kind }) => kind === 'argo-cd');
  // Flux has Helm install what a HelmRelease describes: with both marks, the source is Flux's. Its helm-controller labels all that it
  // renders with the name and the namespace of that object (fluxcd/helm-controller#238).
  const helmRelease = labels['helm.toolkit.fluxcd.io/name'];
  const inNamespace = labels['helm.toolkit.fluxcd.io/namespace'];
  const release = annotations[RELEASE_NAME];
  // Terraform's provider has Helm install a helm_release, with Helm's own marks, and does not see what a helm upgrade by hand has changed of
  // its values (hashicorp/terraform-provider-helm#1297): its next upgrade has its own again.
  const isOfTerraform = toolsThatWrote(object).some(({ kind }) => kind === 'terraform-helm');
  const ofRelease: Tool[] =
    release === undefined
      ? []
      : isOfTerraform
        ? [{ kind: 'terraform-helm', says: `Terraform helm_release ${release}`, name: release }]
        : [{ kind: 'helm', says: `Helm release ${release}`, name: release }];
  const ofFlux: Tool = { kind: 'flux', says: `Flux ${kustomization}`, name: kustomization };
  const ofChart: Tool[] =
    helmRelease !== undefined
      ? [
          inNamespace === undefined
            ? { kind: 'flux-helm', says: `Flux HelmRelease ${helmRelease}`, name: helmRelease }
            : {
                ...{ kind: 'flux-helm', says: `Flux HelmRelease ${inNamespace}/${helmRelease}`, name: helmRelease },
                flux: `helmrelease ${shellWord(helmRelease)} -n ${shellWord(inNamespace)}`,
              },
        ]
      : ofRelease;
  return [
    ...(kustomization === undefined ? [] : [ofFlux]),
    ...(isTracked ? [{ kind: 'argo-cd', says: 'Argo CD' } as const] : []),
    ...ofChart,
  ];
}

/** The tools among the managers of an object's fields, whoever wrote last first. */
function toolsThatWrote({ metadata: { managedFields = [] } }: KubeObject): Tool[] {
  const writers = managedFields.filter(({ subresource }) => subresource === undefined);
  const lastFirst = [...writers].sort((a, b) => Date.parse(b.time ?? '') - Date.parse(a.time ?? '') || 0);
  return lastFirst.flatMap(({ manager = '' }) => WRITERS.find(([pattern]) => pattern.test(manager))?.[1] ?? []);
}

/** The tool that makes an object, in words; undefined as for {@link toolOf}. */
export function toolOwner(object: KubeObject | undefined): string | undefined {
  return toolOf(object)?.says;
}

/** Where `kubectl apply`, and whoever does the same, notes what it has applied: keys that are not in it stay. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Tools that apply manifests as they are: what a manifest has never had, their sync leaves, server-side and client-side. */
export const APPLIERS: ReadonlySet<ToolKind> = new Set<ToolKind>(['argo-cd', 'flux']);

/**
 * The tool whose next sync may change what a Secret or ConfigMap holds, in words. Undefined also for one that applies what meshctl
 * has printed, without the data, as long as nobody but meshctl has set any.
 */
export function ownerBySync(object: KubeObject | undefined): string | undefined {
  const tool = toolOf(object);
  if (!object || !tool) return undefined;
  const { labels = {}, annotations = {}, managedFields = [] } = object.metadata;
  const isPrinted = APPLIERS.has(tool.kind) && labels[MANAGED_BY] === FIELD_MANAGER && managedFields.length > 0;
  const isOthers = managersOfData(object).some((manager) => manager !== FIELD_MANAGER);
  return isPrinted && !isOthers && !hasAppliedData(annotations[LAST_APPLIED]) ? undefined : tool.says;
}

function hasAppliedData(text: string | undefined): boolean {
  if (text === undefined) return false;
  try {
    const { data, stringData } = JSON.parse(text) as { data?: object; stringData?: object };
    return Object.keys({ ...data, ...stringData }).length > 0;
  } catch {
    return true;
  }
}

/**
 * Whose a field is, for people: the program's that set it, or where a tool has marked the object as its own, the tool's.
 * What somebody set with kubectl is theirs, whoever made the object.
 */
export function fieldOwner(object: KubeObject | undefined, manager: string): string {
  return isByHand(manager) ? manager : (toolOwner(object) ?? manager);
}

/** Whether meshctl made it and it is nobody else's: what disable may remove. */
export function isOurs(object: KubeObject | undefined): boolean {
  if (!object || foreignOwner(object)) return false;
  const { labels = {}, managedFields = [] } = object.metadata;
  return labels[MANAGED_BY] === FIELD_MANAGER && managedFields.some(({ manager }) => manager === FIELD_MANAGER);
}

/** Who makes an object, for people: also meshctl, and of what nobody marked whoever else wrote it. Undefined where nothing tells. */
export function makerOf(object: KubeObject | undefined): string | undefined {
  if (isOurs(object)) return FIELD_MANAGER;
  const written = (object?.metadata.managedFields ?? []).filter(({ subresource }) => subresource === undefined);
  // What meshctl restarts, as the agents, it has not made.
  return foreignOwner(object) ?? written.find(({ manager }) => manager !== FIELD_MANAGER)?.manager;
}

/** Who has set keys of a Secret or ConfigMap. */
export function managersOfData({ metadata }: KubeObject): string[] {
  const setters = (metadata.managedFields ?? []).filter(({ fieldsV1 = {} }) =>
    Object.keys((fieldsV1['f:data'] ?? {}) as object).some((token) => token.startsWith('f:')),
  );
  return [...new Set(setters.map(({ manager }) => manager ?? 'another manager'))];
}

/** Who has set one key of a Secret or ConfigMap. */
export function managersOfKey({ metadata }: KubeObject, key: string): string[] {
  const setters = (metadata.managedFields ?? []).filter(
    ({ fieldsV1 = {} }) => ((fieldsV1['f:data'] ?? {}) as Record<string, unknown>)[`f:${key}`] !== undefined,
  );
  return [...new Set(setters.map(({ manager }) => manager ?? 'another manager'))];
}

/** The fields among `changes` that other managers have set, as managedFields tell. */
export function conflictsOf(live: KubeObject, changes: readonly Change[]): OwnedField[] {
  const others = (live.metadata.managedFields ?? []).filter(({ manager }) => manager !== FIELD_MANAGER);
  return others.flatMap((entry) => {
    const owned = ownedPaths(entry);
    return changes
      .filter(({ path }) => owned.some((field) => overlaps(field, path)))
      .map(({ path }) => ({ path, manager: entry.manager ?? 'another manager' }));
  });
}

/**
 * The flag by which enable writes over fields that others have set; none where nobody else has. Nor where a tool has them that
 * makes the object: it would set them again, and enable says, as it refuses, where they are to be changed.
 * @param paths as in changes
 */
export function forceWords(object: KubeObject | undefined, paths: readonly string[]): string[] {
  if (!object) return [];
  const conflicts = conflictsOf(
    object,
    paths.map((path) => ({ path })),
  );
  const isTools = ({ manager }: OwnedField) => fieldOwner(object, manager) !== manager;
  return conflicts.length > 0 && !conflicts.some(isTools) ? ['--force-conflicts'] : [];
}

/** The managers that have set a field or something within it. @param path as in changes */
export function managersOfField({ metadata }: KubeObject, path: string): string[] {
  const setters = (metadata.managedFields ?? []).filter((entry) =>
    ownedPaths(entry).some((field) => overlaps(field, path)),
  );
  return [...new Set(setters.map(({ manager }) => manager ?? 'another manager'))];
}

/**
 * Who else has set a field that meshctl does not set, whoever wrote last, and when (RFC 3339), as far as the object tells. Undefined where
 * nobody has, and where meshctl has applied it too.
 * @param path as in changes
 */
export function soleSetter({ metadata }: KubeObject, path: string): { manager: string; time?: string } | undefined {
  // Whoever has set a mapping that is empty has not set what another hand puts into it.
  const isWithin = (field: string) => field.length >= path.length && overlaps(field, path);
  const setters = (metadata.managedFields ?? []).filter((entry) => ownedPaths(entry).some(isWithin));
  if (setters.some(({ manager }) => manager === FIELD_MANAGER)) return undefined;
  const [last] = setters.sort((a, b) => Date.parse(b.time ?? '') - Date.parse(a.time ?? '') || 0);
  if (!last) return undefined;
  return { manager: last.manager ?? 'another manager', ...(last.time === undefined ? {} : { time: last.time }) };
}

/** Paths of the fields that an entry of managedFields sets itself, written as in changes. */
function ownedPaths({ fieldsV1 = {}, subresource }: ManagedFieldsEntry): string[] {
  return subresource === 'status' ? [] : leavesOf(fieldsV1, '');
}

function leavesOf(fields: Record<string, unknown>, path: string): string[] {
  const below = Object.entries(fields).filter(([token]) => token !== '.');
  if (below.length === 0) return path ? [path] : [];
  return below.flatMap(([token, inner]) => {
    const next = pathBelow(path, token);
    return next === undefined ? [path] : leavesOf((inner ?? {}) as Record<string, unknown>, next);
  });
}

/** `f:spec` and `k:{"name":"etcd"}` as in a change's path; undefined for members of sets, which count as the list. */
function pathBelow(path: string, token: string): string | undefined {
  if (token.startsWith('f:')) return path ? `${path}.${token.slice(2)}` : token.slice(2);
  if (!token.startsWith('k:')) return undefined;
  return `${path}[${Object.values(JSON.parse(token.slice(2)) as Record<string, unknown>).join('/')}]`;
}

/** Whether one of two fields is the other, or is within it; both written as in changes. */
export function overlaps(a: string, b: string): boolean {
  const [shorter, longer] = a.length <= b.length ? [a, b] : [b, a];
  return longer === shorter || longer.startsWith(`${shorter}.`) || longer.startsWith(`${shorter}[`);
}

/** For sentences: `Service kube-system/x: spec.type (helm)`. */
export function describeConflicts(object: ObjectRef, conflicts: readonly OwnedField[]): string {
  return `${describeRef(object)}: ${conflicts.map(({ path, manager }) => `${path} (${manager})`).join(', ')}`;
}

/** Whether it is somebody's own hand that wrote as this field manager, and no tool that would do so again. */
export function isByHand(manager: string): boolean {
  return manager.startsWith('kubectl');
}
