/** What a pod's containers see of Secrets and ConfigMaps: mounted files and environment variables. */
import type { Store } from '../apiserver/storage/object-store.ts';
import {
  type ConfigMap,
  type Container,
  type FileSource,
  type Pod,
  ref,
  type Secret,
  type Volume,
} from '../objects.ts';

/** Files by path within the volume. */
export type VolumeFiles = ReadonlyMap<string, Buffer>;

/** Thrown where a kubelet could not start the container; the message is the kubelet's. */
export class MountError extends Error {
  override readonly name = 'MountError';
}

interface NamedSource {
  kind: 'Secret' | 'ConfigMap';
  name: string;
  source: FileSource;
}

function sourcesOf(volume: Volume): NamedSource[] {
  const sources: NamedSource[] = [];
  const add = (kind: NamedSource['kind'], source: FileSource | undefined) => {
    const name = source?.secretName ?? source?.name;
    if (source && name !== undefined) sources.push({ kind, name, source });
  };
  add('Secret', volume.secret);
  add('ConfigMap', volume.configMap);
  for (const projected of volume.projected?.sources ?? []) {
    add('Secret', projected.secret);
    add('ConfigMap', projected.configMap);
  }
  return sources;
}

/** Whether the pod mounts this Secret or ConfigMap. */
export function mountsObject(pod: Pod, kind: string, name: string): boolean {
  return (pod.spec.volumes ?? []).some((volume) =>
    sourcesOf(volume).some((source) => source.kind === kind && source.name === name),
  );
}

/** Reads all Secret and ConfigMap volumes of a pod as they are now. Throws MountError for what is missing. */
export function readVolumes(store: Store, pod: Pod): Map<string, VolumeFiles> {
  const volumes = new Map<string, VolumeFiles>();
  for (const volume of pod.spec.volumes ?? []) {
    const sources = sourcesOf(volume);
    if (sources.length === 0) continue;
    const files = new Map<string, Buffer>();
    for (const source of sources) addFiles(store, pod, volume.name, source, files);
    volumes.set(volume.name, files);
  }
  return volumes;
}

function addFiles(store: Store, pod: Pod, volume: string, source: NamedSource, files: Map<string, Buffer>) {
  const { kind, name } = source;
  const { optional, items } = source.source;
  const object = store.get(ref(kind, pod.metadata.namespace, name));
  if (!object) {
    if (optional) return;
    throw new MountError(`MountVolume.SetUp failed for volume "${volume}" : ${kind.toLowerCase()} "${name}" not found`);
  }
  const data = kind === 'Secret' ? secretData(object as Secret) : configMapData(object as ConfigMap);
  for (const { key, path } of items ?? [...data.keys()].map((key) => ({ key, path: key }))) {
    const content = data.get(key);
    if (content) files.set(path, content);
    else if (!optional) {
      throw new MountError(
        `MountVolume.SetUp failed for volume "${volume}" : references non-existent ${kind.toLowerCase()} key: ${key}`,
      );
    }
  }
}

function secretData(secret: Secret): Map<string, Buffer> {
  return new Map(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
}

function configMapData({ data, binaryData }: ConfigMap): Map<string, Buffer> {
  return new Map([
    ...Object.entries(data ?? {}).map(([key, value]): [string, Buffer] => [key, Buffer.from(value)]),
    ...Object.entries(binaryData ?? {}).map(([key, value]): [string, Buffer] => [key, Buffer.from(value, 'base64')]),
  ]);
}

/** The names of volumes whose files differ. */
export function changedVolumes(
  before: ReadonlyMap<string, VolumeFiles>,
  after: ReadonlyMap<string, VolumeFiles>,
): string[] {
  return [...after].filter(([name, files]) => !sameFiles(before.get(name), files)).map(([name]) => name);
}

function sameFiles(a: VolumeFiles | undefined, b: VolumeFiles): boolean {
  return a?.size === b.size && [...b].every(([path, content]) => a.get(path)?.equals(content) ?? false);
}

/** The mounted files of a container by absolute path. */
export function containerFiles(container: Container, volumes: ReadonlyMap<string, VolumeFiles>): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const { name, mountPath, subPath } of container.volumeMounts ?? []) {
    for (const [path, content] of volumes.get(name) ?? []) {
      if (subPath === undefined) files.set(`${mountPath.replace(/\/$/, '')}/${path}`, content);
      else if (subPath === path) files.set(mountPath, content);
    }
  }
  return files;
}

/** A container's environment. Throws MountError where a required key is missing. */
export function readEnvironment(store: Store, pod: Pod, container: Container): Map<string, string> {
  const environment = new Map<string, string>();
  for (const { name, value, valueFrom } of container.env ?? []) {
    const resolved = valueFrom ? referencedValue(store, pod, valueFrom) : (value ?? '');
    if (resolved !== undefined) environment.set(name, expandVariables(resolved, environment));
  }
  return environment;
}

function referencedValue(
  store: Store,
  pod: Pod,
  { configMapKeyRef, secretKeyRef, fieldRef }: NonNullable<NonNullable<Container['env']>[number]['valueFrom']>,
): string | undefined {
  if (fieldRef) return fieldValue(pod, fieldRef.fieldPath);
  const kind = configMapKeyRef ? 'ConfigMap' : 'Secret';
  const source = configMapKeyRef ?? secretKeyRef;
  if (!source) return undefined;
  const object = store.get(ref(kind, pod.metadata.namespace, source.name));
  const data = object && (kind === 'Secret' ? secretData(object as Secret) : configMapData(object as ConfigMap));
  const value = data?.get(source.key)?.toString();
  if (value !== undefined || source.optional) return value;
  if (!object) throw new MountError(`${kind.toLowerCase()} "${source.name}" not found`);
  throw new MountError(`couldn't find key ${source.key} in ${kind} ${pod.metadata.namespace}/${source.name}`);
}

function fieldValue(pod: Pod, path: string): string | undefined {
  const values: Record<string, string | undefined> = {
    'metadata.name': pod.metadata.name,
    'metadata.namespace': pod.metadata.namespace,
    'metadata.uid': pod.metadata.uid,
    'spec.nodeName': pod.spec.nodeName,
    'status.podIP': pod.status?.podIP,
    'status.hostIP': pod.status?.hostIP,
  };
  return values[path];
}

/** Kubernetes' `$(NAME)`; an unknown name stays as it is. */
export function expandVariables(text: string, environment: ReadonlyMap<string, string>): string {
  return text.replace(/\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g, (whole, name: string) => environment.get(name) ?? whole);
}
