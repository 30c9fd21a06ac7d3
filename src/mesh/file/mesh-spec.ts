import type { Endpoint } from '../apiserver/endpoints.ts';
import { withoutIdle } from '../enable/exposure/service-type.ts';
import {
  type MeshDocument,
  MISSING_ANNOTATION,
  type WrittenCredentials,
  type WrittenEnable,
  type WrittenService,
} from './document.ts';
import { writtenEndpoint } from './endpoint.ts';
import { type FileFault, sourceName } from './fault.ts';
import type { ReadDocument } from './parse.ts';
import { connectionsOf, type NamedDial } from './topology.ts';

/** One cluster of a file, with the defaults in it. */
export interface FileCluster {
  /** As cilium-config has it. */
  name: string;
  context: string;
  /** As written, beside the file that names it. */
  kubeconfig?: { path: string; file: string } | undefined;
  /** Cilium's. */
  namespace?: string | undefined;
  /** Its clustermesh-apiserver is somebody else's. */
  connectOnly: boolean;
  enable: WrittenEnable;
  /** Clusters that others look after, as its document names them: to another document they may be strangers, or its own. */
  external: readonly string[];
}

/** A dial with what the file wants of it. */
export interface FileDial extends NamedDial {
  credentials?: WrittenCredentials | undefined;
  /** Absent: what the Service has. */
  endpoints?: readonly Endpoint[] | undefined;
  /** The other way round nobody dials, on purpose. */
  oneWay: boolean;
}

/** A service, and where it is to be global. */
export interface FileService extends WrittenService {
  /** Clusters that it may be in: those of its document. */
  among: readonly string[];
}

/** What files want of clusters: all their documents together. */
export interface MeshSpec {
  /** Names of the meshes. */
  names: readonly string[];
  clusters: readonly FileCluster[];
  dials: readonly FileDial[];
  services: readonly FileService[];
  /** Clusters whose services the files name all of: those of documents with a list of services. */
  servicesOf: readonly string[];
}

/** Whether files leave it alone how two clusters are connected: others look after one of them, as the document of the other one says. */
export function isLeftAlone({ clusters }: MeshSpec, one: string, other: string): boolean {
  const calls = (own: string, peer: string) =>
    clusters.some(({ name, external }) => name === own && external.includes(peer));
  return calls(one, other) || calls(other, one);
}

/**
 * All documents together, with the defaults of each in its clusters.
 * @returns faults of documents that do not go together: a cluster or a mesh that two of them have
 */
export function meshSpecOf(read: readonly ReadDocument[]): { spec: MeshSpec; faults: FileFault[] } {
  const parts = read.map(({ document, file }) => specOf(document, file));
  const faults = read.flatMap(({ file, line, document }, index): FileFault[] => {
    const at = (path: string, message: string): FileFault => ({ file, line, column: 1, path, message });
    const earlier = read.slice(0, index);
    const twin = earlier.find((one) => one.document.metadata.name === document.metadata.name);
    const double = (parts[index]?.clusters ?? []).flatMap(({ name, context }) => {
      const at = parts
        .slice(0, index)
        .findIndex(({ clusters }) => clusters.some((one) => one.name === name || one.context === context));
      return at < 0 ? [] : [{ name, other: read[at]?.file ?? '' }];
    });
    const missing = document.metadata.annotations?.[MISSING_ANNOTATION];
    return [
      ...(missing === undefined ? [] : [{ ...at('metadata.annotations', saysMissing(missing)), hint: EXPORT_AGAIN }]),
      ...(twin ? [at('metadata.name', `mesh "${document.metadata.name}" is in ${sourceName(twin.file)} too`)] : []),
      ...double.map(({ name, other }) => at('spec.clusters', `cluster "${name}", or its context, is in ${other} too`)),
    ];
  });
  const all = <T>(of: (part: MeshSpec) => readonly T[]): T[] => parts.flatMap((part) => [...of(part)]);
  const clusters = all((part) => part.clusters);
  return {
    faults,
    spec: {
      names: all(({ names }) => names),
      clusters,
      dials: all(({ dials }) => dials),
      services: all(({ services }) => services),
      servicesOf: all(({ servicesOf }) => servicesOf),
    },
  };
}

function saysMissing(missing: string): string {
  return `the file was exported while part of its mesh could not be read: ${missing.split('\n').join('; ')}`;
}

const EXPORT_AGAIN = `Export it again once all of it can be read, or complete it and delete the annotation ${MISSING_ANNOTATION}.`;

function specOf({ metadata, spec }: MeshDocument, file: string): MeshSpec {
  const { defaults = {}, credentials, endpoints = [], services, external = [] } = spec;
  const names = spec.clusters.map(({ name }) => name);
  const dials = connectionsOf(spec.topology, names);
  return {
    names: [metadata.name],
    clusters: spec.clusters.map((cluster) => {
      const kubeconfig = cluster.kubeconfig ?? defaults.kubeconfig;
      return {
        name: cluster.name,
        context: cluster.context ?? cluster.name,
        kubeconfig: kubeconfig === undefined ? undefined : { path: kubeconfig, file },
        namespace: cluster.namespace ?? defaults.namespace,
        connectOnly: cluster.connectOnly ?? defaults.connectOnly ?? false,
        enable: optionsOf(cluster.enable, defaults.enable),
        external,
      };
    }),
    dials: dials.map((dial) => {
      const entry = endpoints.find(({ to, from }) => to === dial.to && (from?.includes(dial.from) ?? true));
      return {
        ...dial,
        credentials,
        endpoints: entry?.addresses.map(writtenEndpoint),
        oneWay: !dials.some(({ from, to }) => from === dial.to && to === dial.from),
      };
    }),
    services: (services ?? []).map((service) => ({ ...service, among: names })),
    servicesOf: services ? names : [],
  };
}

/** A cluster's own options, and the defaults: one that is about another type of Service than its own says nothing of it. */
function optionsOf(own: WrittenEnable = {}, defaults: WrittenEnable = {}): WrittenEnable {
  const { serviceType: type } = own;
  return { ...(type === undefined ? defaults : withoutIdle(defaults, type)), ...own };
}
