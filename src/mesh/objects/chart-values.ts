import { type CiliumVersion, compareMinors } from '../cilium/versions/versions.ts';
import type { ObjectRef } from './kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  APISERVER,
  CA_SECRET,
  CILIUM_CONFIG,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
} from './names.ts';

const OF_APISERVER = 'clustermesh.apiserver';
const POD = 'spec\\.template\\.spec\\.';
const CONTAINER = `^${POD}(?:initContainers|containers)\\[(?:etcd-init|etcd|apiserver|kvstoremesh)\\]\\.`;

/**
 * Whether Cilium's chart issues the clustermesh-apiserver's certificates in any case: before 1.20 values could bring them, and the
 * names of the server's were elsewhere among the values (upgrade notes of 1.20).
 * @param agents their version; undefined where it cannot be told
 */
export function chartIssues(agents: CiliumVersion | undefined): boolean | undefined {
  return agents && compareMinors(agents, ISSUES_ALWAYS) >= 0;
}

const ISSUES_ALWAYS = { major: 1, minor: 20, patch: 0, suffix: '' };

/**
 * The value with the names that the chart puts into the server certificate beside its own (`extraDnsNames`, `extraIpAddresses`).
 * @param what of it is meant; empty: all
 * @param agents as {@link chartIssues} has it
 */
export function serverNamesValue(what: string, agents?: CiliumVersion): string {
  const [now, before] = [`${OF_APISERVER}.tls.auto.server${what}`, `${OF_APISERVER}.tls.server${what}`];
  const issues = chartIssues(agents);
  if (issues === undefined) return `${now} (before Cilium 1.20: ${before})`;
  return issues ? now : before;
}

/** By which value Cilium's chart makes a field; the first that fits. `$1` is what the path's first group holds. */
type FieldValues = readonly (readonly [path: RegExp, value: string])[];

/** Names of the charts 1.16 to 1.21 (values.yaml, templates/clustermesh-apiserver). */
const VALUES: Readonly<Record<string, FieldValues>> = {
  [`Service/${APISERVER}`]: [
    [/^metadata\.annotations/, `${OF_APISERVER}.service.annotations`],
    [/^metadata\.labels/, `${OF_APISERVER}.service.labels`],
    [/^spec\.ports.*\.nodePort$/, `${OF_APISERVER}.service.nodePort`],
    [/^spec\.sessionAffinity/, `${OF_APISERVER}.service.enableSessionAffinity`],
    [
      /^spec\.(type|loadBalancerClass|loadBalancerIP|loadBalancerSourceRanges|externalTrafficPolicy|internalTrafficPolicy)\b/,
      `${OF_APISERVER}.service.$1`,
    ],
  ],
  [`Deployment/${APISERVER}`]: [
    [/^spec\.replicas$/, `${OF_APISERVER}.replicas`],
    [/^spec\.strategy/, `${OF_APISERVER}.updateStrategy`],
    [/^spec\.template\.metadata\.annotations/, `${OF_APISERVER}.podAnnotations`],
    [/^spec\.template\.metadata\.labels/, `${OF_APISERVER}.podLabels`],
    [new RegExp(`^${POD}imagePullSecrets`), 'imagePullSecrets'],
    [new RegExp(`${CONTAINER}imagePullPolicy$`), `${OF_APISERVER}.image.pullPolicy`],
    [new RegExp(`${CONTAINER}image$`), `${OF_APISERVER}.image`],
    [new RegExp(`^${POD}containers\\[apiserver\\]\\.resources`), `${OF_APISERVER}.resources`],
    [new RegExp(`^${POD}containers\\[(etcd|kvstoremesh)\\]\\.resources`), `${OF_APISERVER}.$1.resources`],
    [new RegExp(`^${POD}containers\\[apiserver\\]\\.args`), `${OF_APISERVER}.extraArgs`],
    [new RegExp(`^${POD}containers\\[kvstoremesh\\]\\.args`), `${OF_APISERVER}.kvstoremesh.extraArgs`],
    [new RegExp(`^${POD}containers\\[kvstoremesh\\]$`), `${OF_APISERVER}.kvstoremesh.enabled`],
    [new RegExp(`^${POD}volumes\\[etcd-data-dir\\]`), `${OF_APISERVER}.etcd.storageMedium`],
    [
      new RegExp(`^${POD}(tolerations|nodeSelector|affinity|topologySpreadConstraints|priorityClassName)\\b`),
      `${OF_APISERVER}.$1`,
    ],
  ],
  [`PodDisruptionBudget/${APISERVER}`]: [[/^/, `${OF_APISERVER}.podDisruptionBudget`]],
  [`ServiceMonitor/${APISERVER}`]: [[/^/, `${OF_APISERVER}.metrics.serviceMonitor`]],
  [`Secret/${SERVER_CERT_SECRET}`]: [[/^data\./, serverNamesValue('')]],
  [`Secret/${CA_SECRET}`]: [[/^data\./, 'tls.ca']],
  [`Secret/${AGENT_PEERS_SECRET}`]: [[/^data\./, 'clustermesh.config.clusters']],
  [`Secret/${KVSTOREMESH_PEERS_SECRET}`]: [[/^data\./, 'clustermesh.config.clusters']],
  [`ConfigMap/${REMOTE_USERS_CONFIGMAP}`]: [[/^data\./, 'clustermesh.config.clusters']],
  [`ConfigMap/${CILIUM_CONFIG}`]: [
    [/^data\.cluster-(name|id)$/, 'cluster.$1'],
    [/^data\.max-connected-clusters$/, 'clustermesh.maxConnectedClusters'],
  ],
};

/** Values that enable has no setting for, or that do more than it would have: `helm-values` does not say them. */
const LEFT_OUT =
  /\.(image\.pullPolicy|updateStrategy|podAnnotations|podLabels|affinity|nodeSelector|topologySpreadConstraints|priorityClassName|service\.(labels|enableSessionAffinity|internalTrafficPolicy))$/;

/** Whether the values that `helm-values` prints make a field as enable would. @param value as {@link chartValueOf} has it */
export function isAmongHelmValues(value: string): boolean {
  return !LEFT_OUT.test(value);
}

/**
 * The value of Cilium's chart by which it makes a field: `clustermesh.apiserver.service.type`. Undefined for what hangs on no
 * value, or only on the chart's version.
 * @param path written as in changes
 */
export function chartValueOf({ kind, name }: Pick<ObjectRef, 'kind' | 'name'>, path: string): string | undefined {
  for (const [pattern, value] of VALUES[`${kind}/${name}`] ?? []) {
    const match = pattern.exec(path);
    if (match) return value.replace('$1', match[1] ?? '');
  }
  return undefined;
}
