import type { KubeObject } from '../objects/kube-object.ts';
import { MANAGED_BY } from '../objects/ownership.ts';
import { type ContainerPort, templateSpec, workloadSpec } from '../objects/workload.ts';
import { asLive, changesTo } from '../plan/diff.ts';
import type { Change } from '../plan/plan.ts';
import { isAboutLogs, servesPeers } from './effects/harmless-changes.ts';
import { keptSettingsOf, SETTINGS_ANNOTATION, settingsAbout } from './kept-settings.ts';
import { isAbout } from './setting-path.ts';

const POD = String.raw`^spec\.template\.spec\.`;
const CONTAINER = String.raw`${POD}(initContainers|containers)\[[^\]]*\]\.`;

/** How a Deployment's pods are placed, replaced and looked after: what they serve is the same with any other value. */
const AS_THE_OWNER_LIKES = [
  /^spec\.strategy\b/,
  new RegExp(`${POD}(affinity|nodeSelector|priorityClassName|topologySpreadConstraints)\\b`),
  new RegExp(`${POD}terminationGracePeriodSeconds$`),
  new RegExp(`${CONTAINER}(imagePullPolicy|terminationMessagePath|terminationMessagePolicy)$`),
  new RegExp(`${CONTAINER}(lifecycle|livenessProbe|readinessProbe|startupProbe)\\b`),
];

/**
 * What enable applies of an object that somebody else makes: with no other marks of meshctl's than it has by now, which tell
 * whose it was and what was chosen by then, and without asking for more than its owner's values give where they do as well.
 * What was `--set` is asked for all the same.
 */
export function leftToOwner(live: KubeObject, rendered: KubeObject): KubeObject {
  const wanted = withPortsOf(live, withMarksOf(live, rendered));
  const set = keptSettingsOf(wanted).map(([path]) => path);
  const left = changesTo(live, wanted)
    .filter((change) => doesAsWell(wanted, change) && !set.some((path) => isAbout(path, change.path)))
    .map(({ path }) => path);
  return asLive(live, wanted, new Set(left));
}

/**
 * What of an object stays as it is, whoever made it: of fields that exclude each other the API server takes only one (policy/v1,
 * PodDisruptionBudgetSpec), and either keeps pods from being ended all at once. What was `--set` is chosen by who sets it, and
 * goes when it is taken back.
 */
export function chosenOtherwise(live: KubeObject, rendered: KubeObject): ReadonlySet<string> {
  const { minAvailable } = (live.spec ?? {}) as { minAvailable?: unknown };
  if (live.kind !== 'PodDisruptionBudget' || minAvailable === undefined) return new Set();
  const isSet =
    settingsAbout(live, 'spec.minAvailable').length + settingsAbout(rendered, 'spec.maxUnavailable').length > 0;
  return new Set(isSet ? [] : ['spec.maxUnavailable']);
}

function doesAsWell(object: KubeObject, { path, from, to }: Change): boolean {
  if (!servesPeers({ kind: object.kind, name: object.metadata.name })) return path.startsWith('spec');
  if (object.kind !== 'Deployment') return false;
  return AS_THE_OWNER_LIKES.some((pattern) => pattern.test(path)) || (path.endsWith('.args') && hasAll(from, to));
}

/** Flags with which a program does the same, at another pace, or is asked for its health elsewhere. */
const TUNING = /^--(kvstore-opt=etcd\.qps|health-port)=/;

/** Whether a program gets all flags that it has to have; the chart's `extraArgs` come on top. */
function hasAll(live: unknown, wanted: unknown): boolean {
  if (!Array.isArray(live) || !Array.isArray(wanted)) return false;
  const isOwners = (flag: unknown) => TUNING.test(String(flag)) || isAboutLogs(flag);
  return live[0] === wanted[0] && wanted.every((flag) => live.includes(flag) || isOwners(flag));
}

/** Without the ports for metrics and health that the owner has otherwise, or not at all. */
function withPortsOf(live: KubeObject, wanted: KubeObject): KubeObject {
  if (wanted.kind !== 'Deployment') return wanted;
  const former = templateSpec(live).containers ?? [];
  const containers = templateSpec(wanted).containers?.map((container) => {
    const present = former.find(({ name }) => name === container.name)?.ports ?? [];
    const isThere = ({ containerPort }: ContainerPort) => present.some((port) => port.containerPort === containerPort);
    const ports = container.ports?.filter((port) => !/-(metrics|health)$/.test(port.name ?? '') || isThere(port));
    return ports ? { ...container, ports } : container;
  });
  if (!containers) return wanted;
  const spec = workloadSpec(wanted);
  return {
    ...wanted,
    spec: { ...spec, template: { ...spec.template, spec: { ...templateSpec(wanted), containers } } },
  };
}

function withMarksOf(live: KubeObject, rendered: KubeObject): KubeObject {
  const { labels = {}, annotations = {}, ...metadata } = rendered.metadata;
  const isOurs = live.metadata.labels?.[MANAGED_BY] === labels[MANAGED_BY];
  const { [MANAGED_BY]: _managedBy, ...otherLabels } = labels;
  const kept = Object.entries(annotations).filter(
    ([name]) =>
      !/^meshctl\.io\//.test(name) || name === SETTINGS_ANNOTATION || live.metadata.annotations?.[name] !== undefined,
  );
  const marks = { labels: isOurs ? labels : otherLabels, annotations: Object.fromEntries(kept) };
  const some = Object.entries(marks).filter(([, entries]) => Object.keys(entries).length > 0);
  return { ...rendered, metadata: { ...metadata, ...Object.fromEntries(some) } };
}
