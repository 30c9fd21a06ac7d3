import type { ObjectRef } from '../../objects/kube-object.ts';
import { APISERVER } from '../../objects/names.ts';
import type { Change } from '../../plan/plan.ts';

/** Kinds and names of what is rendered and serves no peer: who reads metrics, and what holds up a drain. */
const SERVES_NOBODY = new Set([
  `Service/${APISERVER}-metrics`,
  `ServiceMonitor/${APISERVER}`,
  `PodDisruptionBudget/${APISERVER}`,
]);

/** Whether peers hang on an object of those that enable makes. */
export function servesPeers({ kind, name }: Pick<ObjectRef, 'kind' | 'name'>): boolean {
  return !SERVES_NOBODY.has(`${kind}/${name}`);
}

interface Harmless {
  path: RegExp;
  /** Absent: always. */
  when?: (change: Change) => boolean;
}

/** Flags about what the programs write down, and whom they show it. */
const LOG_FLAGS =
  /^--(debug|log-|logger|metrics|listen-metrics-urls|prometheus-serve-addr|controller-group-metrics|pprof|gops)/;

/** Whether a flag is about logs or metrics. */
export function isAboutLogs(flag: unknown): boolean {
  return LOG_FLAGS.test(String(flag));
}

/** Of every kind. */
const OF_ALL: readonly Harmless[] = [{ path: /^metadata\.labels\b/ }];

/** Whoever gives a Service its address reads its annotations; those of all others are notes. */
const NOTES: Harmless = { path: /^metadata\.annotations\b/ };

/**
 * By kind, the fields that may have any value without a peer noticing: what is not listed may cut peers off. Pods are
 * replaced one by one, and the former ones go on until the new ones are ready.
 */
const BY_KIND: Readonly<Record<string, readonly Harmless[]>> = {
  Deployment: [
    NOTES,
    { path: /^spec\.replicas$/, when: ({ to }) => Number(to) >= 1 },
    { path: /^spec\.(revisionHistoryLimit|progressDeadlineSeconds|minReadySeconds)$/ },
    { path: /^spec\.template\.metadata\.labels\b/ },
    // Programs that are put into pods stand between them and their peers.
    { path: /^spec\.template\.metadata\.annotations\b/, when: ({ path }) => !/inject/i.test(path) },
    { path: /^spec\.template\.spec\.(imagePullSecrets|terminationGracePeriodSeconds)\b/ },
    { path: /^spec\.template\.spec\.tolerations\b/, when: isWider },
    { path: /^spec\.template\.spec\.(initContainers|containers)\[[^\]]*\]\.(image|imagePullPolicy|resources)\b/ },
    { path: /^spec\.template\.spec\.(initContainers|containers)\[[^\]]*\]\.terminationMessage(Path|Policy)$/ },
    { path: /^spec\.template\.spec\.containers\[[^\]]*\]\.args$/, when: onlyLogs },
  ],
  Service: [
    // What tools note of themselves.
    { path: /^metadata\.annotations\.(meshctl\.io|kubectl\.kubernetes\.io|argocd\.argoproj\.io|meta\.helm\.sh)\// },
    { path: /^spec\.sessionAffinity(Config\b|$)/ },
    { path: /^spec\.externalTrafficPolicy$/, when: ({ to }) => to === undefined || to === 'Cluster' },
    { path: /^spec\.internalTrafficPolicy$/, when: ({ to }) => to === undefined || to === 'Cluster' },
  ],
  ServiceAccount: [NOTES, { path: /^imagePullSecrets\b/ }],
  ClusterRole: [NOTES],
  ClusterRoleBinding: [NOTES],
  ConfigMap: [NOTES],
  Secret: [NOTES],
};

/** Whether a field of an object that serves peers is known to have no effect on them. */
export function isHarmless({ kind }: Pick<ObjectRef, 'kind'>, change: Change): boolean {
  return [...OF_ALL, ...(BY_KIND[kind] ?? [])].some(
    ({ path, when }) => path.test(change.path) && (when?.(change) ?? true),
  );
}

/** Where a pod could be, it still can. */
function isWider({ from, to }: Change): boolean {
  const after = listOf(to).map((entry) => JSON.stringify(entry));
  return listOf(from).every((entry) => after.includes(JSON.stringify(entry)));
}

/** Flags that come or go are about logs or metrics, all of them. */
function onlyLogs({ from, to }: Change): boolean {
  const [before, after] = [listOf(from), listOf(to)];
  const changed = [
    ...before.filter((flag) => !after.includes(flag)),
    ...after.filter((flag) => !before.includes(flag)),
  ];
  return before[0] === after[0] && changed.every(isAboutLogs);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
