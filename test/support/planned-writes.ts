import { expect } from 'vitest';
import { type KubeObject, keyOf, type ObjectRef, refOf } from '../../src/mesh/objects/kube-object.ts';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { groupBy } from '../../src/mesh/pairs.ts';
import type { StepData } from '../../src/views/plan/plan-data.ts';
import { jsonOf } from './cli.ts';
import type { ConnectClusters } from './connect-clusters.ts';

/** The kinds that meshctl writes, but pods, whose kubelets it nudges. */
const KINDS: readonly [apiVersion: string, kind: string][] = [
  ...['ServiceAccount', 'ConfigMap', 'Secret', 'Service', 'Namespace'].map((kind): [string, string] => ['v1', kind]),
  ...['Deployment', 'DaemonSet'].map((kind): [string, string] => ['apps/v1', kind]),
  ...['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'].map((kind): [string, string] => [
    'rbac.authorization.k8s.io/v1',
    kind,
  ]),
  ['policy/v1', 'PodDisruptionBudget'],
];

/** How what a run wrote and what its plan showed differ; nothing where the plan is what ran. */
export interface Discrepancies {
  /** Objects, keys of Secrets and ConfigMaps, and annotations. */
  unplanned: string[];
  /** Objects that the plan changes, and that are as before. */
  unwritten: string[];
}

type Objects = Map<string, KubeObject>;

interface PlanDocument {
  clusters: { context: string; steps: StepData[] }[];
  unconnected?: { clusters: string[] }[];
}

interface PlannedStep extends StepData {
  context: string;
}

/**
 * Runs a command line with `--dry-run`, and then with `--yes`.
 * @param argv a command line that writes to clusters
 */
export async function discrepanciesOf(
  clusters: ConnectClusters,
  argv: readonly string[],
  { input, yes = true }: { input?: string; yes?: boolean } = {},
): Promise<Discrepancies> {
  const more = input === undefined ? {} : { input };
  const before = objectsIn(clusters);
  const planned = await clusters.meshctl([...argv, '--dry-run', '-o', 'json'], more);
  expect(planned.exitCode, planned.stdout + planned.stderr).toBe(0);
  expect(differing(before, objectsIn(clusters))).toEqual([]);
  const document = jsonOf(planned) as unknown as PlanDocument;
  const steps = document.clusters.flatMap(({ context, steps }) => steps.map((step) => ({ ...step, context })));
  const ran = await clusters.meshctl([...argv, ...(yes ? ['--yes'] : [])], more);
  expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
  const after = objectsIn(clusters);
  const changed = differing(before, after);
  // What is dialled only at addresses that the run tells stands beside the steps.
  const later = (document.unconnected ?? []).flatMap(({ clusters: names }) => names);
  const byObject = groupBy(steps, (step) => nameOf(step.context, step.object));
  const writes = steps.filter(({ action }) => action !== 'keep');
  return {
    unplanned: changed.flatMap((name) => {
      const own = byObject.get(name) ?? [];
      const unplanned = unplannedOf(own, before.get(name), after.get(name));
      const isLater = (what: string) =>
        later.some((peer) => what === `: key ${peer}` || what.startsWith(`: key ${peer}.`));
      return unplanned.filter((what) => !isLater(what)).map((what) => `${name}${what}`);
    }),
    unwritten: [...new Set(writes.map((step) => nameOf(step.context, step.object)))].filter(
      (name) => !changed.includes(name),
    ),
  };
}

/** Of an object that differs: what the steps about it do not say. */
function unplannedOf(
  steps: readonly PlannedStep[],
  before: KubeObject | undefined,
  after: KubeObject | undefined,
): string[] {
  // Whether it is, hangs on an address that only the run tells.
  if (steps.some(({ why }) => why.includes('reissued if'))) return [];
  const actions = steps.map(({ action }) => action);
  const wanted = !before ? 'create' : !after ? 'delete' : 'update';
  if (!actions.includes(wanted)) return [` is ${wanted}d, and planned is ${actions.join(', ') || 'nothing'}`];
  if (!before || !after) return [];
  const paths = steps.flatMap(({ changes, secretKeys = [] }) => [
    ...changes.map(({ path }) => path),
    ...secretKeys.map(({ key }) => `data.${key}`),
  ]);
  const isShown = (path: string) => paths.some((one) => one === path || one.startsWith(`${path}[`));
  const data = ['Secret', 'ConfigMap'].includes(before.kind) ? differingKeys(dataOf(before), dataOf(after)) : [];
  const annotations = differingKeys(before.metadata.annotations ?? {}, after.metadata.annotations ?? {});
  return [
    ...data.filter((key) => !isShown(`data.${key}`)).map((key) => `: key ${key}`),
    ...annotations
      .filter((key) => !isShown(`metadata.annotations[${key}]`) && !isShown(`metadata.annotations.${key}`))
      .map((key) => `: annotation ${key}`),
  ];
}

function differingKeys(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => before[key] !== after[key] && !OF_CONTROLLERS.includes(key));
}

/** What controllers of the sandbox write. */
const OF_CONTROLLERS = ['deployment.kubernetes.io/revision'];

function objectsIn({ clusters }: ConnectClusters): Objects {
  return new Map(
    clusters.flatMap(({ context, store }) =>
      KINDS.flatMap(([apiVersion, kind]) =>
        store
          .list({ apiVersion, kind })
          .map((object): [string, KubeObject] => [nameOf(context, refOf(object)), object]),
      ),
    ),
  );
}

function nameOf(context: string, { kind, namespace = '', name }: ObjectRef): string {
  return `${context} ${kind} ${namespace}/${name}`;
}

function differing(before: Objects, after: Objects): string[] {
  const content = (object: KubeObject | undefined) => {
    if (!object) return '';
    const { metadata, status: _status, ...rest } = object;
    const { labels = {}, annotations = {} } = metadata;
    const own = Object.entries(annotations).filter(([key]) => !OF_CONTROLLERS.includes(key));
    return JSON.stringify([keyOf(refOf(object)), rest, labels, own.sort()]);
  };
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => content(before.get(name)) !== content(after.get(name)),
  );
}
