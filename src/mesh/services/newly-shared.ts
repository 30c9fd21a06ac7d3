import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { firstOf } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import { dialsAnother } from '../peers/namesakes.ts';
import { configuredPeers, isLetIn } from '../peers/peers.ts';
import type { Hazard } from '../plan/agreement.ts';
import { isGlobalByDefault, readSharing } from './annotations.ts';
import { isPublished } from './backends.ts';
import type { ClusterServices } from './service-facts.ts';
import { usedOnceDialled } from './services.ts';
import { inputOf } from './uses.ts';

/** One cluster dials another one. */
export interface DialOfSnapshots {
  client: ClusterSnapshot;
  server: ClusterSnapshot;
}

/**
 * What dials do to global Services: as soon as a cluster reads of another one, requests for those that are global in both go to the
 * other's backends too. Only of dials that there have not been until now.
 */
export function newlyShared(dials: readonly DialOfSnapshots[]): Hazard[] {
  return firstDials(dials).flatMap(({ client, servers }) => {
    const shared = servers.flatMap((server) => {
      const [ours, theirs] = [servicesOf(client), servicesOf(server)];
      const keys = ours && theirs ? usedOnceDialled(ours, theirs) : [];
      return keys.length > 0 ? [{ services: firstOf(keys), all: keys.join(), server: clusterNameOf(server) }] : [];
    });
    return [...groupBy(shared, ({ all }) => all).values()].flatMap((alike): Hazard[] => {
      const names = firstOf(alike.map(({ server }) => server));
      return alike.slice(0, 1).map(({ services }) => ({
        cluster: client.context,
        says: `requests for ${services} may go to ${names} too`,
      }));
    });
  });
}

/** Of dials that there have not been until now: the clusters of which it is not known which Services are global, as warnings. */
export function unseenShared(dials: readonly DialOfSnapshots[]): string[] {
  const clusters = new Set(firstDials(dials).flatMap(({ client, servers }) => [client, ...servers]));
  return [...clusters].flatMap(unseenIn);
}

/**
 * The same where only one of the clusters is within reach: which Services the other one has, nobody here can tell.
 * @param dialsPeer whether the cluster comes to dial it
 */
export function sharedWithStranger(
  own: ClusterSnapshot,
  peer: string,
  dialsPeer: boolean,
): { hazards: Hazard[]; warnings: string[] } {
  const firstOut = dialsPeer && !configuredPeers(own).includes(peer);
  const firstIn = !isLetIn(own, peer);
  if (!firstOut && !firstIn) return { hazards: [], warnings: [] };
  const services = servicesOf(own);
  if (!services) return { hazards: [], warnings: unseenIn(own) };
  const global = [...services.services].filter(([, { annotations }]) => readSharing(annotations).global).sort();
  const offered = global.filter(([, facts]) => isPublished(inputOf(services, facts)));
  const hazard = (is: boolean, of: typeof global, says: (services: string) => string): Hazard[] =>
    is && of.length > 0 ? [{ cluster: own.context, says: says(firstOf(of.map(([key]) => key))) }] : [];
  return {
    hazards: [
      ...hazard(firstOut, global, (keys) => `requests for ${keys} may go to ${peer} too, if they are global there`),
      ...hazard(firstIn, offered, (keys) => `requests from ${peer} for ${keys} may come in, if they are global there`),
    ],
    warnings: [],
  };
}

/** By who dials: those that it does not dial yet. */
function firstDials(
  dials: readonly DialOfSnapshots[],
): { client: ClusterSnapshot; servers: readonly ClusterSnapshot[] }[] {
  return [...groupBy(dials, ({ client }) => client)].flatMap(([client, own]) => {
    const dialled = new Set(configuredPeers(client));
    const servers = own.flatMap(({ server }) => {
      const name = clusterNameOf(server);
      return dialled.has(name) && !dialsAnother(client, name, server) ? [] : [server];
    });
    return servers.length > 0 ? [{ client, servers }] : [];
  });
}

function servicesOf(snapshot: ClusterSnapshot): ClusterServices | undefined {
  const { context, ciliumConfig = {}, globalServices } = snapshot;
  return (
    globalServices && {
      context,
      cluster: clusterNameOf(snapshot),
      globalByDefault: isGlobalByDefault(ciliumConfig),
      ...globalServices,
    }
  );
}

function unseenIn({ context, servicesRefused }: ClusterSnapshot): string[] {
  if (servicesRefused === undefined) return [];
  const says = `context "${context}": its Services may not be listed, so it is not known which of them come to be shared`;
  return [`${says} → ${servicesRefused}`];
}
