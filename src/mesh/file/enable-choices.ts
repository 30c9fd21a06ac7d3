import { type CiliumVersion, parseVersion } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { lostService } from '../enable/kept-service.ts';
import { keptSettingsOf } from '../enable/kept-settings.ts';
import type { FieldChoices, ObjectSetting } from '../enable/object-settings.ts';
import type { ObjectField } from '../enable/setting-target.ts';
import type { EnableChoices } from '../enable/settings.ts';
import type { CertificateOrder } from '../plan/plan.ts';
import { parseValidity } from '../span.ts';
import type { WrittenEnable } from './document.ts';
import { handMadeToChosen } from './hand-made.ts';

/** What a file wants of one cluster's clustermesh-apiserver, as enable takes it. */
export interface FileChoices extends EnableChoices, FieldChoices {
  ciliumVersion?: CiliumVersion | undefined;
  image?: string | undefined;
  issuing?: Pick<CertificateOrder, 'validityMs' | 'keySize'> | undefined;
  maxConnectedClusters?: number | undefined;
}

/**
 * The options for a cluster as it is. What the file does not mention stays as it was chosen, as with `enable` without the flag; what
 * somebody changed by hand does not ({@link handMadeToChosen}). A list or map that the file does mention is the whole of it.
 */
export function choicesOfFile(enable: WrittenEnable, snapshot: ClusterSnapshot): FileChoices {
  const { set, caFrom: _source, certValidity, keySize, ciliumVersion, serviceAnnotations, ...options } = enable;
  return {
    ...handMadeToChosen(snapshot),
    ...options,
    inFile: true,
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

/** What earlier runs `--set` and the file, which has settings, does not. */
function settingsToTakeBack(enable: WrittenEnable, snapshot: ClusterSnapshot): ObjectField[] {
  if (!enable.set) return [];
  const wanted = Object.keys(enable.set).map(fieldOf);
  return [...snapshot.objects.values(), ...[lostService(snapshot) ?? []].flat()].flatMap((object): ObjectField[] => {
    const { kind, metadata } = object;
    // With these options there is no such object, of which a field could be taken back.
    if (kind === 'PodDisruptionBudget' && enable.podDisruptionBudget === false) return [];
    if (kind === 'ServiceMonitor' && enable.serviceMonitor === false) return [];
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
