import { containerOf } from '../apiserver/deployment.ts';
import {
  type Endpoint,
  hostPort,
  isIpAddress,
  reachableEndpoints,
  requireEndpoints,
  splitHostPort,
} from '../apiserver/endpoints.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { coversHost } from '../certificates/cluster-certificates.ts';
import { compareMinors, versionOfAgents, versionOfImage } from '../cilium/versions/versions.ts';
import { MeshctlError } from '../errors.ts';
import { keyOf } from '../objects/kube-object.ts';
import { meshHostname, SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import { toolOwner } from '../objects/ownership.ts';
import { foreignFile } from '../peers/file/foreign-file.ts';
import type { PeerAlias, PeerEndpoint } from '../peers/file/peer-config.ts';
import { addressesIn, addressesMeant, readPeerFile } from '../peers/file/peer-file.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { dialingFile, kvstoremeshDials } from '../peers/peers.ts';
import { canSign } from './credentials.ts';
import { familyLack } from './families-apart.ts';
import type { Member } from './member.ts';

/** From this version on a peering file can say itself what its host names mean. */
export const ALIASES_IN_FILES = { major: 1, minor: 20, patch: 0, suffix: '' };

/**
 * What a client dials of a server: what it dials already where that does as well, else the addresses that the server has or was
 * given.
 * @throws MeshctlError `ClusterMeshNotEnabled` where there are no addresses, `CertificateAuthority` where the certificate is for none
 * of them, and cannot be, `Incompatible` where they are of no IP family that the client has
 */
export function dialledEndpoint(client: Member, server: Member): PeerEndpoint {
  const endpoint = keptEndpoint(client, server) ?? chooseEndpoint(client, server, offeredTo(client, server));
  requireFamily(client, server, endpoint);
  return endpoint;
}

/** @throws MeshctlError `Incompatible` where the client has no address of a family of those that it is to dial */
function requireFamily(client: Member, server: Member, { addresses, alias }: PeerEndpoint): void {
  const { context } = client.snapshot;
  const hosts = alias?.ips ?? [...new Set(addresses.map((address) => splitHostPort(address).host))];
  const isChosen =
    server.given === 'addresses' || choicesFor(client.snapshot, server.identity.name).endpoints !== undefined;
  const lack = familyLack(client.snapshot, server.snapshot, hosts, isChosen);
  if (!lack) return;
  throw new MeshctlError('Incompatible', `context "${context}": ${lack.says}`, {
    hint: lack.hint,
    details: { context, peer: server.identity.name, hosts },
  });
}

/**
 * What the client dials already, where it need not change: a file that a tool made says what its source wants, as long as
 * nothing is chosen with meshctl.
 */
function keptEndpoint(client: Member, server: Member): PeerEndpoint | undefined {
  const peer = server.identity.name;
  if (server.given || choicesFor(client.snapshot, peer).endpoints) return undefined;
  return foreignFile(client.snapshot, peer)?.endpoint ?? dialledNodes(client, server);
}

/** Nodes come and go: those of a NodePort that a client dials stay as long as all of them serve it and they are enough. */
function dialledNodes(client: Member, server: Member): PeerEndpoint | undefined {
  const addresses = addressesIn(dialingFile(client.snapshot, server.identity.name)?.text ?? '');
  const hosts = addresses.map((address) => splitHostPort(address).host);
  const isCovered = hosts.every((host) => covers(server, host)) || (canSign(server) && !isLeft(client, server, hosts));
  return isCovered && areEnough(client, addresses, server) ? { addresses } : undefined;
}

/** Whether all of these addresses serve a server, no fewer than it has others, and the client can dial one. */
function areEnough(client: Member, addresses: readonly string[], server: Member): boolean {
  const hosts = addresses.map((address) => splitHostPort(address).host);
  if (familyLack(client.snapshot, server.snapshot, hosts, false)) return false;
  const reachable = reachableEndpoints(server.snapshot)?.map(({ host, port }) => hostPort(host, port)) ?? [];
  const serve = addresses.every((address) => reachable.includes(address));
  return serve && addresses.length >= Math.max(1, server.endpoints.length);
}

/** The addresses of which the client dials some. @throws MeshctlError `ClusterMeshNotEnabled` where there are none */
function offeredTo(client: Member, server: Member): readonly Endpoint[] {
  const { endpoints: chosen } = choicesFor(client.snapshot, server.identity.name);
  if (chosen && !server.given) return chosen;
  if (server.endpoints.length === 0) requireEndpoints(server.snapshot);
  return server.endpoints;
}

/**
 * The server's addresses where its certificate covers them or can be made to; of several those that it covers; else
 * `<peer>.mesh.cilium.io` with aliases, which a certificate covers that a tool has made by Cilium's chart.
 */
function chooseEndpoint(client: Member, server: Member, offered: readonly Endpoint[]): PeerEndpoint {
  const hosts = offered.map(({ host }) => host);
  const covered = offered.filter(({ host }) => covers(server, host));
  const isByName = covered.length < offered.length && isLeft(client, server, hosts);
  const dialled = isByName ? [] : canSign(server) ? offered : covered;
  if (dialled.length > 0) return { addresses: dialled.map(({ host, port }) => hostPort(host, port)) };
  const { context, namespace } = server.snapshot;
  const aliased = offered.filter(({ host }) => isIpAddress(host));
  if (aliased.length === 0 || !covers(server, meshHostname(server.identity.name))) {
    throw new MeshctlError(
      'CertificateAuthority',
      `context "${context}": the server certificate covers none of ${hosts.join(', ')}, and cannot be renewed here`,
      {
        hint: `Secret ${namespace}/${SERVER_CERT_SECRET} is from a CA whose key is not in Secret cilium-ca. Issue it with that name as a SAN, or with *.mesh.cilium.io and an IP address for the Service.`,
        details: { context, hosts },
      },
    );
  }
  return keptAlias(client, server) ?? withAlias(aliased, readsAliases(client) === false ? 'pods' : 'file');
}

function withAlias(aliased: readonly Endpoint[], where: PeerAlias['in']): PeerEndpoint {
  return {
    addresses: aliased.map(({ host, port }) => hostPort(host, port)),
    alias: {
      ips: [...new Set(aliased.map(({ host }) => host))],
      ports: [...new Set(aliased.map(({ port }) => port))],
      in: where,
    },
  };
}

/** The nodes that a client dials by the server's name already, as with {@link dialledNodes}. */
function keptAlias(client: Member, server: Member): PeerEndpoint | undefined {
  const peer = server.identity.name;
  if (server.given || choicesFor(client.snapshot, peer).endpoints) return undefined;
  const text = dialingFile(client.snapshot, peer)?.text ?? '';
  const file = readPeerFile(text);
  const isByFile = !('unreadable' in file) && file.hostAliases.some(({ hostname }) => hostname === meshHostname(peer));
  const isByName = addressesIn(text).every((address) => splitHostPort(address).host === meshHostname(peer));
  const addresses = addressesMeant(text, () => []);
  if (!isByFile || !isByName || !areEnough(client, addresses, server)) return undefined;
  return withAlias(addresses.map(splitHostPort), 'file');
}

/**
 * Whether a server certificate is left as it is although it could be made to cover what it is dialled at: a tool has made it, and makes
 * it so again, as Cilium's chart does at each upgrade (templates/clustermesh-apiserver/tls-helm), which would cut off whoever dials
 * by what was added. The client is told in its file what the server's name in the mesh means; one that is known not to read that would
 * need its pods changed, which another tool may make. One of which no version tells is no old one: the plan says what is taken for granted.
 */
function isLeft(client: Member, server: Member, hosts: readonly string[]): boolean {
  const { objects, namespace } = server.snapshot;
  return (
    toolOwner(objects.get(keyOf(secretRef(namespace, SERVER_CERT_SECRET)))) !== undefined &&
    covers(server, meshHostname(server.identity.name)) &&
    hosts.every(isIpAddress) &&
    readsAliases(client) !== false
  );
}

/** Whether what dials in a cluster finds in its files what host names mean; undefined where no version tells. */
export function readsAliases({ snapshot }: Pick<Member, 'snapshot'>): boolean | undefined {
  const { agent, apiserverPods = [] } = snapshot;
  // What runs, and what starts from now on: the one may be older than the other.
  const dialling = kvstoremeshDials(snapshot)
    ? [containerOf(apiserverDeployment(snapshot), 'kvstoremesh')?.image, ...apiserverPods.map(({ runs }) => runs)]
    : [];
  const known = [
    versionOfAgents(agent),
    ...[agent?.startsWith, ...dialling].map((image) => versionOfImage(image ?? '')),
  ];
  const versions = known.flatMap((version) => version ?? []);
  if (versions.length === 0) return undefined;
  return versions.every((version) => compareMinors(version, ALIASES_IN_FILES) >= 0);
}

function covers({ snapshot }: Member, host: string): boolean {
  const facts = snapshot.tlsSecrets.get(SERVER_CERT_SECRET)?.certificate;
  return facts !== undefined && coversHost(facts, host);
}
