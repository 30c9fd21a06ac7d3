import { imageOf } from '../apiserver/deployment.ts';
import { hostPort } from '../apiserver/endpoints.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { clusterNameOf, requireIdentity } from '../cilium/identity.ts';
import { apiserverImageFor, versionOfAgents } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand } from '../command-line.ts';
import { serviceChoices } from '../enable/kept-service.ts';
import { withoutSettings } from '../enable/object-settings.ts';
import { settleEnable, settleImage } from '../enable/settings.ts';
import { foreignOwner, isOurs } from '../objects/ownership.ts';
import { groupBy, pairsOf } from '../pairs.ts';
import { isHalfOfPeering, mendUndialled, saysUndialled, undialledServers } from '../peers/lost-halves.ts';
import { partedBy, waysOut } from '../peers/parted.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { configuredPeers, knownPeers, peersByDirection } from '../peers/peers.ts';
import { type Affinity, readSharing } from '../services/annotations.ts';
import type {
  WrittenCluster,
  WrittenCredentials,
  WrittenEnable,
  WrittenEndpoint,
  WrittenService,
  WrittenSpec,
} from './document.ts';
import { writtenSettings } from './enable-choices.ts';
import { handMadeRemarks, handMadeToChosen } from './hand-made.ts';
import { type NamedDial, topologyOf } from './topology.ts';
import { writtenLifetime } from './written-lifetime.ts';

/** A cluster of a mesh as it is. */
export interface ExportedCluster {
  /** As enable reads it. */
  snapshot: ClusterSnapshot;
  /** The annotations of its Services, by `namespace/name`. */
  services: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

/** A mesh as a file has it, and what a file cannot say. */
export interface ExportedMesh {
  spec: WrittenSpec;
  /** What the file tells of itself, by name. */
  annotations?: Readonly<Record<string, string>>;
  /** Of the whole mesh, and of each cluster by its name; one line each. */
  remarks: { mesh: readonly string[]; clusters: ReadonlyMap<string, readonly string[]> };
}

/** The file for clusters as they are: what differs from defaults, and nothing that is secret. */
export function exportMesh(clusters: readonly ExportedCluster[]): ExportedMesh {
  const names = clusters.map(({ snapshot }) => clusterNameOf(snapshot));
  const remarks: string[] = [];
  const ofClusters = new Map<string, string[]>();
  const written = clusters.map(({ snapshot }) => {
    const { cluster, says } = writtenCluster(snapshot);
    if (says.length > 0) ofClusters.set(cluster.name, says);
    return cluster;
  });
  const snapshots = clusters.map(({ snapshot }) => snapshot);
  const dials = snapshots.flatMap((snapshot) => dialsIn(snapshot, snapshots));
  const external = [
    ...new Set(clusters.flatMap(({ snapshot }) => knownPeers(snapshot)).filter((peer) => !names.includes(peer))),
  ].sort();
  if (external.length > 0) remarks.push(`${external.join(', ')}: peers that this export has not read`);
  remarks.push(...halfConnections(snapshots), ...lostConnections(snapshots));
  const credentials = writtenCredentials(clusters, dials);
  const endpoints = writtenEndpoints(clusters, dials);
  const services = writtenServices(clusters, remarks);
  const common = commonOptions(written);
  return {
    spec: {
      ...(Object.keys(common).length > 0 ? { defaults: { enable: common } } : {}),
      clusters: written.map((cluster) => withoutOptions(cluster, common)),
      topology: topologyOf(dials, names),
      ...(credentials ? { credentials } : {}),
      ...(endpoints.length > 0 ? { endpoints } : {}),
      ...(services.length > 0 ? { services } : {}),
      ...(external.length > 0 ? { external } : {}),
    },
    remarks: { mesh: remarks, clusters: ofClusters },
  };
}

/** The options that all clusters have alike which meshctl looks after: several lines are one then. */
function commonOptions(clusters: readonly WrittenCluster[]): WrittenEnable {
  const [first, ...others] = clusters.filter(({ connectOnly }) => !connectOnly);
  if (!first || others.length === 0) return {};
  const isSame = (key: string, value: unknown) =>
    others.every(({ enable }) => JSON.stringify(enable?.[key as keyof WrittenEnable]) === JSON.stringify(value));
  return Object.fromEntries(Object.entries(first.enable ?? {}).filter(([key, value]) => isSame(key, value)));
}

function withoutOptions({ enable, ...cluster }: WrittenCluster, common: WrittenEnable): WrittenCluster {
  const own = Object.entries(enable ?? {}).filter(([key]) => !(key in common));
  return own.length > 0 ? { ...cluster, enable: Object.fromEntries(own) } : cluster;
}

/** Whom a cluster dials, and whom it is to dial one-way, as chosen, although it has lost its files for them. */
function dialsIn(snapshot: ClusterSnapshot, all: readonly ClusterSnapshot[]): NamedDial[] {
  const from = clusterNameOf(snapshot);
  const others = all.filter((other) => other !== snapshot);
  const names = others.map(clusterNameOf);
  const dialled = configuredPeers(snapshot).filter((to) => to !== from && names.includes(to));
  const lost = undialledServers(snapshot, others).map(clusterNameOf);
  return [...new Set([...dialled, ...lost])].map((to) => ({ from, to }));
}

function writtenCluster(snapshot: ClusterSnapshot): { cluster: WrittenCluster; says: string[] } {
  const name = clusterNameOf(snapshot);
  const place = snapshot.context === name ? { name } : { name, context: snapshot.context };
  const deployment = apiserverDeployment(snapshot);
  if (!isOurs(deployment)) {
    const owner = foreignOwner(deployment) ?? 'something else';
    return {
      cluster: { ...place, connectOnly: true },
      says: [`its clustermesh-apiserver is made by ${owner}, and stays as that makes it`],
    };
  }
  const lifetime = writtenLifetime(snapshot);
  const enable = { ...writtenEnable(snapshot), ...lifetime.fields };
  return {
    cluster: { ...place, ...(Object.keys(enable).length > 0 ? { enable } : {}) },
    says: [...imageRemarks(snapshot), ...handMadeRemarks(snapshot), ...lifetime.says],
  };
}

/** What of a cluster's clustermesh-apiserver is otherwise than the defaults. */
function writtenEnable(snapshot: ClusterSnapshot): WrittenEnable {
  const bare = {
    ...snapshot,
    objects: new Map([...snapshot.objects].map(([key, object]) => [key, withoutSettings(object)])),
  };
  const identity = requireIdentity(snapshot);
  // What a file would turn back is no wish of its own.
  const settings = settleEnable(bare, identity, handMadeToChosen(snapshot));
  const set = writtenSettings(snapshot);
  const all: { [K in keyof WrittenEnable]: WrittenEnable[K] | undefined } = {
    ...serviceChoices(bare, identity, settings),
    pullSecrets: filled(settings.pullSecrets),
    tolerations: filled(settings.tolerations),
    replicas: settings.replicas > 1 ? settings.replicas : undefined,
    kvstoremesh: settings.kvstoremesh ? undefined : false,
    resources: settings.resources,
    etcdStorage: settings.etcdStorage === 'memory' ? 'memory' : undefined,
    podDisruptionBudget: settings.podDisruptionBudget || undefined,
    serviceMonitor: settings.serviceMonitor || undefined,
    set: Object.keys(set).length > 0 ? set : undefined,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function filled<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}

/** An image of one's own stays where it is; a file that named it would keep it from following Cilium's version. */
function imageRemarks(snapshot: ClusterSnapshot): string[] {
  const live = imageOf(apiserverDeployment(snapshot));
  const version = versionOfAgents(snapshot.agent);
  const apiserverImage = apiserverImageFor(snapshot.agent?.image ?? '', version);
  if (apiserverImage === undefined) return [];
  const settled = settleImage(snapshot, undefined, apiserverImage, version);
  const isOwn = live !== undefined && live !== apiserverImage && settled === live;
  return isOwn ? [`it runs ${live}, which stays as long as Cilium's version does`] : [];
}

/** One-way, and nobody has written down that it shall be so: of one that has parted with the other, both ways out. */
function halfConnections(snapshots: readonly ClusterSnapshot[]): string[] {
  return snapshots.flatMap((client) =>
    snapshots
      .filter((server) => server !== client && isHalfOfPeering(client, server))
      .map((server) => {
        const parted = partedBy(server, client);
        // A file can only have a dial, or not.
        if (parted) return `${parted.why} → before the mesh is exported, ${parted.mend}`;
        const [from, to] = [clusterNameOf(client), clusterNameOf(server)];
        return `${from} dials ${to} and not the other way round, which no one chose: perhaps half of it is lost → both ways again, and then export: ${connectCommand(server.context, client.context)}`;
      }),
  );
}

/** Clusters of which neither dials the other, although something says that they are to be peers. */
function lostConnections(snapshots: readonly ClusterSnapshot[]): string[] {
  const undialled = snapshots.flatMap((client) =>
    undialledServers(client, snapshots).map(
      (server) => `${saysUndialled(client, server)} → before the mesh is exported, ${mendUndialled(client, server)}`,
    ),
  );
  const dialled = pairsOf(snapshots).filter(([one, other]) => !isDialled(one, other) && !isDialled(other, one));
  const leftOut = dialled.flatMap(([one, other]) => {
    if (undialledServers(one, [other]).length > 0 || undialledServers(other, [one]).length > 0) return [];
    const [server, client] = letsIn(one, other) ? [one, other] : [other, one];
    if (!letsIn(server, client)) return [];
    const [from, to] = [clusterNameOf(client), clusterNameOf(server)];
    const ways = waysOut(client, { context: server.context, name: to });
    return [
      `${to} lets ${from} in, and neither dials the other: that is left out → before the mesh is exported, ${ways}`,
    ];
  });
  return [...undialled, ...leftOut];
}

function isDialled(server: ClusterSnapshot, client: ClusterSnapshot): boolean {
  return configuredPeers(client).includes(clusterNameOf(server));
}

function letsIn(server: ClusterSnapshot, client: ClusterSnapshot): boolean {
  return peersByDirection(server).letIn.includes(clusterNameOf(client));
}

/** The chosen credentials, where they are the same for all; else that they stay as they are. */
function writtenCredentials(
  clusters: readonly ExportedCluster[],
  dials: readonly NamedDial[],
): WrittenCredentials | undefined {
  const chosen = dials.map(({ from, to }) => choiceOf(clusters, from, to).credentials);
  const [first] = chosen;
  if (chosen.every((one) => one === undefined)) return undefined;
  return chosen.every((one) => one === first) ? first : 'kept';
}

function choiceOf(clusters: readonly ExportedCluster[], from: string, to: string): ReturnType<typeof choicesFor> {
  const client = clusters.find(({ snapshot }) => clusterNameOf(snapshot) === from);
  return client ? choicesFor(client.snapshot, to) : {};
}

function writtenEndpoints(clusters: readonly ExportedCluster[], dials: readonly NamedDial[]): WrittenEndpoint[] {
  const chosen = dials.flatMap(({ from, to }) => {
    const { endpoints } = choiceOf(clusters, from, to);
    return endpoints ? [{ from, to, addresses: endpoints.map(({ host, port }) => hostPort(host, port)) }] : [];
  });
  const groups = groupBy(chosen, ({ to, addresses }) => JSON.stringify([to, addresses]));
  return [...groups.values()].flatMap((entries): WrittenEndpoint[] => {
    const [first] = entries;
    if (!first) return [];
    const { to, addresses } = first;
    const from = entries.map((entry) => entry.from);
    const isAll = dials.filter((dial) => dial.to === to).length === from.length;
    return [{ to, ...(isAll ? {} : { from }), addresses }];
  });
}

function writtenServices(clusters: readonly ExportedCluster[], remarks: string[]): WrittenService[] {
  const global = clusters.flatMap(({ snapshot, services }) =>
    [...services].flatMap(([key, annotations]) => {
      const sharing = readSharing(annotations);
      const cluster = clusterNameOf(snapshot);
      if (!sharing.global) return [];
      if (sharing.unknownAffinity !== undefined) {
        remarks.push(`${key} in ${cluster} has the affinity "${sharing.unknownAffinity}", which Cilium takes for none`);
      }
      return [{ key, cluster, affinity: sharing.affinity, shared: sharing.shared }];
    }),
  );
  const byService = groupBy(
    global.sort((a, b) => a.key.localeCompare(b.key)),
    ({ key }) => key,
  );
  return [...byService].flatMap(([key, all]) => {
    const having = clusters.filter(({ services }) => services.has(key)).length;
    const ways = [...groupBy(all, ({ affinity, shared }) => JSON.stringify([affinity, shared])).values()];
    return ways.flatMap((of) => {
      const [first] = of;
      return first
        ? [writtenService(key, first, of.length === having ? undefined : of.map(({ cluster }) => cluster))]
        : [];
    });
  });
}

function writtenService(
  key: string,
  { affinity, shared }: { affinity: Affinity; shared: boolean },
  clusters: readonly string[] | undefined,
): WrittenService {
  const [namespace = '', name = ''] = key.split('/');
  return {
    namespace,
    name,
    ...(affinity === 'none' ? {} : { affinity }),
    ...(shared ? {} : { shared }),
    ...(clusters ? { clusters } : {}),
  };
}
