import { isIpAddress } from '../apiserver/endpoints.ts';
import type { CiliumVersion } from '../cilium/versions/versions.ts';
import { contextList, kubectlCommand, meshctlCommand, ownedElsewhere } from '../command-line.ts';
import { groupBy } from '../pairs.ts';
import { remoteUserName } from '../peers/file/peer-config.ts';
import { FIELD_MANAGER, type Step } from '../plan/plan.ts';
import { chartValueOf, isAmongHelmValues, serverNamesValue } from './chart-values.ts';
import { describeRef, type KubeObject, refOf } from './kube-object.ts';
import { APISERVER, REMOTE_ROLE } from './names.ts';
import {
  APPLIERS,
  MANAGED_BY,
  managersOfData,
  managersOfField,
  ownerBySync,
  type Tool,
  type ToolKind,
  toolOf,
} from './ownership.ts';

/** Where the values of Cilium's chart are that a tool renders, for people; none for one that applies manifests. */
const VALUES_OF: Readonly<Partial<Record<ToolKind, string>>> = {
  helm: 'its values',
  'argo-cd': 'its values of the chart',
  'flux-helm': 'its spec.values',
  'terraform-helm': 'its values',
};

/** Whether a tool applies an object that meshctl has printed (`render`), by its label: what meshctl has made itself, a chart may have come over. */
export function isPrinted(object: KubeObject, { kind }: Tool): boolean {
  if (!APPLIERS.has(kind) || object.metadata.labels?.[MANAGED_BY] !== FIELD_MANAGER) return false;
  const setters = managersOfField(object, `metadata.labels.${MANAGED_BY}`);
  return setters.length === 0 || setters.some((manager) => manager !== FIELD_MANAGER);
}

/** Where the values are by which a tool makes an object; undefined where it has it from manifests, or it is a Service of somebody's own. */
function valuesOf(object: KubeObject, tool: Tool): string | undefined {
  const isTheirOwn = object.kind === 'Service' && !object.metadata.name.startsWith(APISERVER);
  return isTheirOwn || isPrinted(object, tool) ? undefined : VALUES_OF[tool.kind];
}

/**
 * What has a tool take up values at once that have been changed in a repository, as a clause; empty where that is not known. Flux's
 * helm-controller takes up a HelmRelease that has changed by itself; `flux reconcile helmrelease --with-source` fetches its chart, not it.
 */
export function takenUp(tool: Tool | undefined): string {
  return tool?.kind === 'flux-helm'
    ? ', which `flux reconcile kustomization NAME --with-source` fetches at once from the repository that has them'
    : '';
}

/** A cluster that is to be among the peers of another one, and is not yet, or not any more. */
export interface JoiningPeer {
  name: string;
  /** What stands for one where the cluster is another owner's: see `unnamedContext`. */
  context: string;
  /** `host:port` of each address at which it is dialled; none where that is not known. */
  addresses: readonly string[];
}

/** What has `helm-values` name clusters among the peers before they are connected; other owners' by name and addresses. */
function joiningFlags(joining: readonly JoiningPeer[]): string[] {
  const isElsewhere = ({ context }: JoiningPeer) => ownedElsewhere(context) !== undefined;
  const contexts = joining.filter((peer) => !isElsewhere(peer)).map(({ context }) => context);
  const named = joining
    .filter(isElsewhere)
    .flatMap(({ name, addresses }) =>
      addresses.length === 0 ? [name] : addresses.map((address) => `${name}=${address}`),
    );
  return [
    ...(contexts.length > 0 ? ['--destination-context', contextList(contexts)] : []),
    ...named.flatMap((one) => ['--peer', one]),
  ];
}

/** How a peer is named by values, and whether with what the chart cannot make by itself. */
type Named = 'with' | 'with-credentials' | 'without';

/**
 * What to edit in the source of an object that holds peers, so that a tool's next sync leaves them, or leaves them out: the
 * values of the chart, or its manifest. As the end of a sentence; ends with its command where there is one.
 * @param peers whom it must name; none: all of them
 * @param joining those of them that the values are to name although the cluster does not have them
 * @param how whether they shall be there; with credentials of their own, the chart would else write the certificate for all peers
 */
export function lastingPeers(
  context: string,
  object: KubeObject,
  peers: readonly string[],
  how: Named = 'with',
  joining: readonly JoiningPeer[] = [],
): string {
  const tool = toolOf(object);
  const values = tool && valuesOf(object, tool);
  const whom = peers.length > 0 ? peers.join(', ') : 'the peers';
  const must = how === 'without' ? 'must not' : 'must';
  if (values !== undefined) {
    const own = how === 'with-credentials' ? ', with certificates and keys of their own as tls' : '';
    return `${values} ${must} name ${whom} in clustermesh.config.clusters${own}${takenUp(tool)}: ${meshctlCommand('clustermesh helm-values', { context }, joiningFlags(joining))}`;
  }
  const { namespace, name } = object.metadata;
  // Host aliases, of a client before Cilium 1.20.
  if (object.kind !== 'ConfigMap' && object.kind !== 'Secret') {
    return `its source ${must} have hostAliases for ${whom}`;
  }
  if (object.kind === 'ConfigMap') {
    const users = peers.length > 0 ? peers.map(remoteUserName).join(', ') : 'the users';
    const look = kubectlCommand({ context, namespace }, ['get', `configmap/${name}`, '-o', 'yaml']);
    const role = how === 'without' ? '' : ` with the role ${REMOTE_ROLE}`;
    return `its source ${must} have ${users}${role} in users.yaml, as it will be here: ${look}`;
  }
  return `its source must leave the keys of ${whom} in Secret ${name} to meshctl`;
}

/** Tools that issue certificates, or have a chart issue them, and so end none by what they have in a source. */
const ISSUERS: ReadonlySet<ToolKind> = new Set<ToolKind>([
  'helm',
  'flux-helm',
  'terraform-helm',
  'certgen',
  'cert-manager',
]);

/**
 * What to edit in the source of a server certificate that a tool makes, so that its next sync leaves the names that were added. As the
 * end of a sentence; ends with its command where there is one.
 * @param place of the cluster; `agents` is their version, which is the chart's
 * @param names beside those that Cilium's chart puts into each
 * @returns undefined where the tool makes one that is as good
 */
export function lastingNames(
  { context, agents }: { context: string; agents?: CiliumVersion | undefined },
  object: KubeObject,
  names: readonly string[],
): string | undefined {
  const tool = toolOf(object);
  if (!tool || (names.length === 0 && ISSUERS.has(tool.kind))) return undefined;
  const values = tool.kind === 'certgen' ? "the values of Cilium's chart" : valuesOf(object, tool);
  if (names.length > 0 && values !== undefined) {
    const fields = [
      ...(names.some((name) => !isIpAddress(name)) ? ['.extraDnsNames'] : []),
      ...(names.some(isIpAddress) ? ['.extraIpAddresses'] : []),
    ];
    const where = fields.map((field) => serverNamesValue(field, agents)).join(' and ');
    return `${values} must have ${names.join(', ')} in ${where}${takenUp(tool)}: ${meshctlCommand('clustermesh helm-values', { context })}`;
  }
  if (tool.kind === 'cert-manager') return `its Certificate must have ${names.join(', ')} among its names`;
  return `its source must leave the keys of Secret ${object.metadata.name} to meshctl`;
}

/** Where to look, or what to edit, where somebody else changes the list of users after meshctl did. */
export function listAdvice(
  context: string,
  list: KubeObject,
  peers: readonly string[],
  how: 'with' | 'without' = 'with',
): string {
  const owner = ownerBySync(list);
  if (owner !== undefined) return `${owner} makes that ConfigMap: ${lastingPeers(context, list, peers, how)}`;
  const writers = managersOfData(list).filter((manager) => manager !== FIELD_MANAGER);
  const who = writers.length > 0 ? ` (it was written by ${writers.join(', ')})` : '';
  return `Find out who else writes that ConfigMap${who}.`;
}

/**
 * Where fields are to be changed that tools have set: `clustermesh.apiserver.service.type in the values of Helm release
 * cilium`; undefined where no tool makes an object whose fields are disputed.
 */
export function sourceEdits(steps: readonly Step[]): string | undefined {
  const edits = steps.flatMap(({ before, conflicts = [] }) => {
    const tool = toolOf(before);
    if (!before || !tool) return [];
    const source = sourceOf(before, tool);
    return conflicts.flatMap(({ path }) => placeOf(tool, before, path).map((place) => ({ source, place })));
  });
  const clauses = [...groupBy(edits, ({ source }) => source)].map(
    ([source, alike]) => `${[...new Set(alike.map(({ place }) => place))].join(', ')} in ${source}`,
  );
  return clauses.length > 0 ? clauses.join('; ') : undefined;
}

/** Where a tool has an object from, for people. */
function sourceOf(object: KubeObject, tool: Tool): string {
  if (isPrinted(object, tool)) {
    return `what ${tool.says} applies, which \`clustermesh render\` prints with the flags of enable`;
  }
  const where = valuesOf(object, tool) ?? 'its source';
  return `${where.replace(/^its /, 'the ')} of ${tool.says}${takenUp(tool)}`;
}

/** The value of the chart, or the field itself where the tool applies manifests; none where no value makes it. */
function placeOf(tool: Tool, object: KubeObject, path: string): string[] {
  const ref = { ...refOf(object), namespace: undefined };
  if (valuesOf(object, tool) === undefined) return [`${path} of ${describeRef(ref)}`];
  const value = chartValueOf(ref, path);
  return value === undefined ? [] : [value];
}

/** What cert-manager and certgen issue hangs on no source. */
const HANGS_ON_NOTHING: ReadonlySet<ToolKind> = new Set<ToolKind>(['cert-manager', 'certgen']);

/** An object that a run writes, and fields of it, as in changes. */
export interface WrittenFields {
  object: KubeObject;
  paths: readonly string[];
}

/**
 * What the sources of objects must have, so that a tool's next sync leaves what a run writes into them: a clause for each kind of source, the
 * one with a command last.
 * @param helmValues the end of the clause that is about values of Cilium's chart: with what prints them
 */
export function lastingFields(written: readonly WrittenFields[], helmValues: string): string[] {
  const made = written.flatMap(({ object, paths }) => {
    const tool = toolOf(object);
    if (!tool || HANGS_ON_NOTHING.has(tool.kind)) return [];
    const fields = paths.map((path) => `${path} of ${describeRef({ ...refOf(object), namespace: undefined })}`);
    return [{ object, tool, paths, fields, values: valuesOf(object, tool) }];
  });
  const isOfMeshctl = (one: (typeof made)[number]) => isPrinted(one.object, one.tool);
  const fieldsOf = (some: typeof made) => [...new Set(some.flatMap(({ fields }) => fields))].join(', ');
  const printed = made.filter(isOfMeshctl);
  const manifests = made.filter((one) => !isOfMeshctl(one) && one.values === undefined);
  const secrets = manifests.filter(({ object }) => object.kind === 'Secret');
  const others = manifests.filter(({ object }) => object.kind !== 'Secret');
  const ofChart = made.filter((one) => one.values !== undefined);
  return [
    ...(printed.length > 0
      ? [
          `what it applies must say the same (${fieldsOf(printed)}): print it again by \`clustermesh render\`, with the flags that it had and those of this run, and commit that`,
        ]
      : []),
    ...(secrets.length > 0
      ? [
          `its source must leave the keys of ${secrets.map(({ object }) => `Secret ${object.metadata.name}`).join(', ')} to meshctl`,
        ]
      : []),
    ...(others.length > 0 ? [`its source must say the same (${fieldsOf(others)})`] : []),
    ...ofChart.slice(0, 1).map(({ tool, values = '' }) => {
      const all = ofChart.flatMap(({ object, paths }) =>
        paths.flatMap((path) => chartValueOf(refOf(object), path) ?? []),
      );
      const [said, leftOut] = [true, false].map((is) =>
        [...new Set(all)].filter((one) => isAmongHelmValues(one) === is).join(', '),
      );
      const must = `${values} must say the same`;
      if (leftOut && !said) return `${must} (${leftOut}, which helm-values leaves out)${takenUp(tool)}`;
      const without = leftOut ? `; ${leftOut}, which helm-values leaves out` : '';
      return `${must}${said ? ` (${said}${without})` : ''}${takenUp(tool)}${helmValues}`;
    }),
  ];
}
