import { firstOf } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import { isUnheard } from '../status/broken-link.ts';
import { isNamespaceGlobal, readSharing } from './annotations.ts';
import {
  type ClusterService,
  countBackends,
  type Frontend,
  type IpFamily,
  type SelectedBackend,
  selectBackends,
  usesOthers,
} from './backends.ts';
import type { ClusterServices, ServiceFacts, Use } from './service-facts.ts';

/** What {@link selectBackends} needs of one Service, for each cluster that has it. */
export function selectionInputs(clusters: readonly ClusterServices[], key: string): ClusterService[] {
  return clusters.flatMap((of) => {
    const facts = of.services.get(key);
    return facts ? [inputOf(of, facts)] : [];
  });
}

/** What {@link selectBackends} needs of a Service of one cluster. */
export function inputOf(of: ClusterServices, facts: ServiceFacts): ClusterService {
  const { annotations, headless, nodeLocal, ports, families, backends, namespace } = facts;
  const namespaceGlobal = isGlobalIn(of, namespace);
  return {
    cluster: of.cluster,
    sharing: readSharing(annotations),
    headless,
    ...(headless && of.mirrors && facts.mirrored ? { mirrored: true } : {}),
    nodeLocal,
    namespaceGlobal,
    ports,
    families,
    backends,
  };
}

/**
 * What the agents of a cluster use of a Service for any of its frontends, counted by the backends' clusters. Behind a connection by which
 * nothing is heard these are the ones of now, where agents go on with what they last heard of (`lastHeard`, {@link usedUnheard});
 * none where some agents know of none.
 */
export function usesIn(of: ClusterServices, inputs: readonly ClusterService[]): Use[] {
  const { broken = [] } = of;
  const used = new Map(
    frontendsIn(of, inputs).flatMap((frontend) =>
      selectionFor(of, inputs, frontend).map(({ backend, cluster }) => [backend, cluster] as const),
    ),
  );
  return [...groupBy([...used], ([, cluster]) => cluster)].map(([name, selected]) => ({
    cluster: name,
    backends: countBackends(selected.map(([backend]) => backend)),
    ...(broken.some(({ peer }) => peer === name) ? { atRisk: true } : {}),
    ...(broken.some((link) => link.peer === name && isUnheard(link)) ? { lastHeard: true } : {}),
  }));
}

/** The clusters whose backends a cluster's agents do not use for want of a connection: it does not dial them, or it is broken. */
export function unconnectedFor(of: ClusterServices, inputs: readonly ClusterService[]): string[] {
  const used = usesIn(of, inputs);
  return usesIn({ ...of, peers: undefined, broken: undefined }, inputs)
    .map(({ cluster }) => cluster)
    .filter((cluster) => !used.some((use) => use.cluster === cluster));
}

/**
 * The ports of a cluster's Service for which there is no backend that its agents could use, by name or else protocol; with
 * the family, and the nodes, where those of another one have some.
 */
export function unservedPorts(of: ClusterServices, inputs: readonly ClusterService[]): string[] {
  const byPort = groupBy(frontendsIn(of, inputs), ({ port }) => port);
  return [...byPort].flatMap(([port, frontends]) => {
    // DNS gives pods, whatever they listen at.
    if (!port) return [];
    const { name, protocol } = port;
    const words = name || protocol;
    const unserved = frontends.filter((one) => selectionFor(of, inputs, one).length === 0);
    if (unserved.length === frontends.length) return [words];
    return [...groupBy(unserved, ({ family }) => family)].map(([family, ofFamily]) => {
      const isWhole = ofFamily.length === frontends.filter((one) => one.family === family).length;
      const nodes = isWhole ? [] : ofFamily.flatMap(({ node }) => (node === undefined ? [] : [node || OTHER_NODES]));
      const [over, from] = [
        new Set(frontends.map((one) => one.family)).size > 1 ? ` over ${family}` : '',
        nodes.length > 0 ? ` from ${firstOf(nodes, NODES_NAMED)}` : '',
      ];
      return `${words}${over}${from}`;
    });
  });
}

function frontendsIn(of: ClusterServices, inputs: readonly ClusterService[]): Frontend[] {
  const own = inputs.find((input) => input.cluster === of.cluster);
  const families: readonly (IpFamily | undefined)[] = own?.families ?? [undefined];
  if (own?.headless) return families.map((family) => ({ family }));
  const nodes = own?.nodeLocal ? nodesOf(of, own) : [undefined];
  return (own?.ports ?? []).flatMap((port) =>
    families.flatMap((family) => nodes.map((node) => ({ port, family, node }))),
  );
}

const NODES_NAMED = 3;
/** No node has this name. */
const NAMELESS = '';
const OTHER_NODES = 'nodes without a backend';

/** Where pods that dial may be: on each node, also one with a taint if there are backends; any node, where they are not known. */
function nodesOf({ nodes = [NAMELESS] }: ClusterServices, { backends }: ClusterService): string[] {
  return [...new Set([...nodes, ...backends.flatMap(({ node }) => node ?? [])])];
}

function selectionFor(of: ClusterServices, inputs: readonly ClusterService[], frontend: Frontend): SelectedBackend[] {
  const { cluster, peers } = of;
  const read = inputs.filter(
    (other) =>
      other.cluster === cluster || ((peers?.includes(other.cluster) ?? true) && !isDisconnected(of, other.cluster)),
  );
  return selectBackends(read, cluster, frontend);
}

function isDisconnected({ broken = [] }: ClusterServices, cluster: string): boolean {
  return broken.some(({ peer, state }) => peer === cluster && state === 'disconnected');
}

/** The same cluster when all have been restarted: what is at risk, or lost, did not come back. */
export function afterRestart(of: ClusterServices): ClusterServices {
  return { ...of, broken: of.broken?.map(({ peer, reason }) => ({ peer, reason, state: 'disconnected' })) };
}

/**
 * The clusters of which a cluster hears nothing any more, and whose backends it may use for a Service as it last heard of them, be it from
 * some of its nodes: whatever they have by now.
 */
export function usedUnheard(of: ClusterServices, facts: ServiceFacts): string[] {
  if (!usesOthers(inputOf(of, facts))) return [];
  return (of.broken ?? []).filter(isUnheard).map(({ peer }) => peer);
}

/** Those of these clusters to which some nodes only are connected, or know of: their requests go there, and those of the others do not. */
export function usedBySome({ broken = [] }: ClusterServices, clusters: readonly string[]): string[] {
  return clusters.filter((name) => broken.some(({ peer, using }) => peer === name && using !== undefined));
}

function isGlobalIn({ namespaces, globalByDefault }: ClusterServices, namespace: string): boolean {
  return isNamespaceGlobal(namespaces.get(namespace), globalByDefault);
}
