import { etcdStorageOf, pullSecretsOf, replicasOf, runsKvstoremesh, tolerationsOf } from '../apiserver/deployment.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import { type CiliumVersion, parseVersion } from '../cilium/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { lostService, withLostChoices } from '../enable/kept-service.ts';
import { keptSettingsOf } from '../enable/kept-settings.ts';
import { type FieldChoices, type ObjectSetting, withoutSettings } from '../enable/object-settings.ts';
import type { ObjectField } from '../enable/setting-target.ts';
import type { EnableChoices } from '../enable/settings.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { APISERVER } from '../objects/names.ts';
import { isOurs } from '../objects/ownership.ts';
import { serviceSpec } from '../objects/service.ts';
import type { CertificateOrder } from '../plan/plan.ts';
import { parseValidity } from '../span.ts';
import type { WrittenEnable } from './document.ts';

/** What a file wants of one cluster's clustermesh-apiserver, as enable takes it. */
export interface FileChoices extends EnableChoices, FieldChoices {
  ciliumVersion?: CiliumVersion | undefined;
  image?: string | undefined;
  issuing?: Pick<CertificateOrder, 'validityMs' | 'keySize'> | undefined;
  maxConnectedClusters?: number | undefined;
}

/**
 * The options for a cluster as it is. What the file does not say is the default, where there is one and meshctl made the object:
 * an option that was chosen before, or a field that somebody changed, goes back to it. What peers hang on (the type of the
 * Service, its node port and load balancer, the image) stays where the file says nothing of it, and so does what others made.
 */
export function choicesOfFile(enable: WrittenEnable, snapshot: ClusterSnapshot): FileChoices {
  const { set, caFrom: _source, certValidity, keySize, ciliumVersion, serviceAnnotations, ...options } = enable;
  return {
    ...defaultsFor(enable, snapshot),
    ...options,
    ...(serviceAnnotations ? { serviceAnnotations } : {}),
    settings: Object.entries(set ?? {}).map(([name, value]) => ({ ...fieldOf(name), value })),
    unset: settingsToTakeBack(enable, snapshot),
    issuing: {
      validityMs: certValidity === undefined ? undefined : parseValidity(certValidity),
      keySize,
    },
    ciliumVersion: ciliumVersion === undefined ? undefined : parseVersion(ciliumVersion),
  };
}

/** `Kind/name:path`, as the schema has let it through. */
function fieldOf(text: string): ObjectField {
  const at = text.indexOf(':');
  const [kind = '', name] = text.slice(0, at).split('/');
  return { kind, name, path: text.slice(at + 1) };
}

/** The default of each option that the file leaves out, and that the cluster has otherwise. */
function defaultsFor(enable: WrittenEnable, snapshot: ClusterSnapshot): EnableChoices {
  const bare = (object: KubeObject | undefined) => (object && isOurs(object) ? withoutSettings(object) : undefined);
  const deployment = bare(apiserverDeployment(snapshot));
  const service = serviceSpec(bare(apiserverService(snapshot)));
  const lost = withLostChoices(snapshot, {});
  const has = (apiVersion: string, kind: string) =>
    isOurs(snapshot.objects.get(keyOf({ apiVersion, kind, namespace: snapshot.namespace, name: APISERVER })));
  const all: EnableChoices = {
    ...((replicasOf(deployment) ?? 1) === 1 ? {} : { replicas: 1 }),
    ...((runsKvstoremesh(deployment) ?? true) ? {} : { kvstoremesh: true }),
    ...(etcdStorageOf(deployment) === 'memory' ? { etcdStorage: 'disk' } : {}),
    ...((tolerationsOf(deployment) ?? []).length > 0 ? { tolerations: [] } : {}),
    ...((pullSecretsOf(deployment) ?? []).length > 0 ? { pullSecrets: [] } : {}),
    ...(has('policy/v1', 'PodDisruptionBudget') ? { podDisruptionBudget: false } : {}),
    ...(has('monitoring.coreos.com/v1', 'ServiceMonitor') ? { serviceMonitor: false } : {}),
    ...((service.externalTrafficPolicy ?? lost.externalTrafficPolicy) === 'Local'
      ? { externalTrafficPolicy: 'Cluster' }
      : {}),
    ...((service.loadBalancerSourceRanges ?? lost.loadBalancerSourceRanges ?? []).length > 0
      ? { loadBalancerSourceRanges: [] }
      : {}),
  };
  return Object.fromEntries(
    Object.entries(all).filter(([option]) => enable[option as keyof WrittenEnable] === undefined),
  );
}

/** What earlier runs `--set` and the file does not. */
function settingsToTakeBack(enable: WrittenEnable, snapshot: ClusterSnapshot): ObjectField[] {
  const wanted = Object.keys(enable.set ?? {}).map(fieldOf);
  return [...snapshot.objects.values(), ...[lostService(snapshot) ?? []].flat()].flatMap((object): ObjectField[] => {
    const { kind, metadata } = object;
    // With these options there is no such object, of which a field could be taken back.
    if (kind === 'PodDisruptionBudget' && !enable.podDisruptionBudget) return [];
    if (kind === 'ServiceMonitor' && !enable.serviceMonitor) return [];
    return keptSettingsOf(object)
      .filter(
        ([path]) =>
          !wanted.some(
            (field) => field.kind === kind && (field.name ?? metadata.name) === metadata.name && field.path === path,
          ),
      )
      .map(([path]) => ({ kind, name: metadata.name, path }));
  });
}

/** The settings of a cluster's objects as a file has them. */
export function writtenSettings(snapshot: ClusterSnapshot): Record<string, ObjectSetting['value']> {
  return Object.fromEntries(
    [...snapshot.objects.values()].flatMap((object) =>
      keptSettingsOf(object).map(([path, value]) => [`${object.kind}/${object.metadata.name}:${path}`, value]),
    ),
  );
}
