import type { KubeObject } from '../objects/kube-object.ts';
import { MANAGED_BY } from '../objects/ownership.ts';
import { asLive, changesTo } from '../plan/diff.ts';
import type { Change } from '../plan/plan.ts';
import { keptSettingsOf, SETTINGS_ANNOTATION } from './kept-settings.ts';
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
  const wanted = withMarksOf(live, rendered);
  const set = keptSettingsOf(wanted).map(([path]) => path);
  const left = changesTo(live, wanted)
    .filter((change) => doesAsWell(wanted, change) && !set.some((path) => isAbout(path, change.path)))
    .map(({ path }) => path);
  return asLive(live, wanted, new Set(left));
}

function doesAsWell(object: KubeObject, { path, from, to }: Change): boolean {
  if (object.kind !== 'Deployment') return false;
  return AS_THE_OWNER_LIKES.some((pattern) => pattern.test(path)) || (path.endsWith('.args') && hasAll(from, to));
}

/** Whether a program gets all flags that it has to have; the chart's `extraArgs` come on top. */
function hasAll(live: unknown, wanted: unknown): boolean {
  if (!Array.isArray(live) || !Array.isArray(wanted)) return false;
  return live[0] === wanted[0] && wanted.every((flag) => live.includes(flag));
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
