import { ipFamilies } from '../cilium/datapath.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { firstOf } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import { dialsThis } from '../peers/namesakes.ts';
import { configuredPeers, isLetIn } from '../peers/peers.ts';
import { heededNamespaces, isGlobalByDefault, mirrorsOthers, readSharing } from './annotations.ts';
import type { ClusterServices } from './service-facts.ts';
import { isBalanced, isOffered, usedOnceDialled } from './services.ts';
import { inputOf } from './uses.ts';

/** One cluster dials another one. */
export interface DialOfSnapshots {
  client: ClusterSnapshot;
  server: ClusterSnapshot;
}

/**
 * What dials do to global Services, as clauses: as soon as a cluster reads of another one, requests for those that are global in both
 * go to the other's backends too. And the clusters of which it is not known which Services are global, with how to be let look. Only
 * of dials that there have not been until now. Who made them global wants them shared: it is named, and nobody is asked.
 */
export function newlyShared(dials: readonly DialOfSnapshots[]): string[] {
  const first = firstDials(dials);
  const clusters = new Set(first.flatMap(({ client, servers }) => [client, ...servers]));
  return [...first.flatMap(sharedByDialling), ...[...clusters].flatMap(unseenIn)];
}

function sharedByDialling({ client, servers }: FirstDials): string[] {
  return usedOf(client, servers).map(({ services, servers: of }) => {
    const names = firstOf(of.map(clusterNameOf));
    return `context "${client.context}": requests for ${firstOf(services)} may go to ${names} too`;
  });
}

/** The Services of which a cluster uses the backends of others once it dials these; those with the same Services together. */
export function usedOf(
  client: ClusterSnapshot,
  servers: readonly ClusterSnapshot[],
): { services: readonly string[]; servers: readonly ClusterSnapshot[] }[] {
  const ours = globalServicesIn(client);
  const used = servers.flatMap((server) => {
    const theirs = globalServicesIn(server);
    const services = ours && theirs ? usedOnceDialled(ours, theirs) : [];
    return services.length > 0 ? [{ server, services }] : [];
  });
  return [...groupBy(used, ({ services }) => services.join()).values()].map((alike) => ({
    services: alike[0]?.services ?? [],
    servers: alike.map(({ server }) => server),
  }));
}

/**
 * The same where only one of the clusters is within reach: which Services the other one has, nobody here can tell.
 * @param dialsPeer whether the cluster comes to dial it
 */
export function sharedWithStranger(own: ClusterSnapshot, peer: string, dialsPeer: boolean): string[] {
  const firstOut = dialsPeer && !configuredPeers(own).includes(peer);
  const firstIn = !isLetIn(own, peer);
  if (!firstOut && !firstIn) return [];
  const services = globalServicesIn(own);
  if (!services) return unseenIn(own);
  const global = [...services.services].filter(([, { annotations }]) => readSharing(annotations).global).sort();
  const balanced = global.filter(([, facts]) => isBalanced(inputOf(services, facts)));
  const offered = global.filter(([, facts]) => isOffered(services, facts));
  const clause = (is: boolean, of: typeof global, says: (services: string) => string): string[] =>
    is && of.length > 0 ? [`context "${own.context}": ${says(firstOf(of.map(([key]) => key)))}`] : [];
  return [
    ...clause(firstOut, balanced, (keys) => `requests for ${keys} may go to ${peer} too, if also global there`),
    ...clause(firstIn, offered, (keys) => `requests from ${peer} for ${keys} may come in, if also global there`),
  ];
}

/** Who is dialled for the first time. */
export interface FirstDials {
  client: ClusterSnapshot;
  servers: readonly ClusterSnapshot[];
}

/** By who dials: those that it does not dial yet. */
export function firstDials(dials: readonly DialOfSnapshots[]): FirstDials[] {
  return [...groupBy(dials, ({ client }) => client)].flatMap(([client, own]) => {
    const servers = own.map(({ server }) => server).filter((server) => !dialsThis(client, server));
    return servers.length > 0 ? [{ client, servers }] : [];
  });
}

/** The global Services of a cluster without their backends, as they were read with it; undefined where they may not be listed. */
export function globalServicesIn(snapshot: ClusterSnapshot): ClusterServices | undefined {
  const { context, ciliumConfig = {}, agent, globalServices } = snapshot;
  return (
    globalServices && {
      context,
      cluster: clusterNameOf(snapshot),
      globalByDefault: isGlobalByDefault(ciliumConfig, agent?.image),
      podFamilies: ipFamilies(ciliumConfig),
      ...(mirrorsOthers(ciliumConfig) ? { mirrors: true } : {}),
      peers: configuredPeers(snapshot),
      ...globalServices,
      namespaces: heededNamespaces(globalServices.namespaces, agent?.image),
    }
  );
}

function unseenIn({ context, servicesRefused }: ClusterSnapshot): string[] {
  if (servicesRefused === undefined) return [];
  const says = `context "${context}": its Services may not be listed, so it is not known which of them come to be shared`;
  return [`${says} → ${servicesRefused}`];
}
