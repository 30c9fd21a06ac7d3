import { runsKvstoremesh } from '../../apiserver/deployment.ts';
import { serviceEndpoints } from '../../apiserver/endpoints.ts';
import { apiserverDeployment } from '../../apiserver/live.ts';
import type { CertificateFacts } from '../../certificates/certificate.ts';
import { coversHost } from '../../certificates/cluster-certificates.ts';
import { reissueAdvice } from '../../certificates/reissue.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand } from '../../command-line.ts';
import { firstOf } from '../../counted.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { meshHostname, SERVER_CERT_SECRET, secretRef, serviceHostname } from '../../objects/names.ts';
import { toolOwner } from '../../objects/ownership.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { hostsDialled } from '../../peers/hosts-dialled.ts';
import { withoutNamesakes } from '../../peers/namesakes.ts';
import type { Finding } from '../shared/check.ts';
import { findingOf, type MeshCheck } from '../shared/mesh-input.ts';

/** What is dialled of a cluster, held against its server certificate. */
interface Names {
  /** What the certificate does not cover, and is dialled, by whom in words. */
  dialled: readonly { host: string; by: readonly string[] }[];
  /** Addresses of the Service that it does not cover either, and that no cluster that was read dials. */
  undialled: readonly string[];
  /** By whom it is dialled, as far as clusters were read. */
  diallers: readonly string[];
  /** Those of them that dial nothing which it covers: of several endpoints etcd's client goes by one that answers. */
  cut: readonly string[];
  /** Of whom it is not known what they dial. */
  unknown: readonly string[];
  /** By the name of the Service its own agents dial it, with KVStoreMesh; and connect proves by it. */
  lacksOwn: boolean;
}

/** Peers may dial the addresses of the Service, or the cluster's name in the mesh: what they do dial decides. */
function namesOf(cluster: ClusterSnapshot, certificate: CertificateFacts, all: readonly ClusterSnapshot[]): Names {
  const { dialled, unknown } = hostsDialled(cluster, all);
  const addresses = serviceEndpoints(cluster)?.hosts ?? [];
  const offered = [...addresses, meshHostname(knownAs(cluster))];
  const uncovered = offered.filter((host) => !coversHost(certificate, host));
  const diallersOf = (host: string) =>
    [...dialled].flatMap(([name, who]) => (coversHost({ dnsNames: [name], ipAddresses: [name] }, host) ? who : []));
  const found = uncovered.map((host) => ({ host, by: [...new Set(diallersOf(host))] }));
  const served = [...dialled].flatMap(([host, who]) => (coversHost(certificate, host) ? who : []));
  return {
    dialled: found.filter(({ by }) => by.length > 0),
    undialled: found.filter(({ host, by }) => by.length === 0 && addresses.includes(host)).map(({ host }) => host),
    diallers: [...new Set([...dialled.values()].flat())],
    cut: found.flatMap(({ by }) => by.filter((peer) => !served.includes(peer))),
    unknown,
    lacksOwn: !coversHost(certificate, serviceHostname(cluster.namespace)),
  };
}

const certificateOf = ({ tlsSecrets }: ClusterSnapshot) => tlsSecrets.get(SERVER_CERT_SECRET)?.certificate;

/** Where the certificate covers the cluster's name in the mesh, whoever dials an address can dial that instead. */
function hintFor(cluster: ClusterSnapshot, names: Names, all: readonly ClusterSnapshot[]): string {
  const { objects, namespace, context } = cluster;
  const secret = objects.get(keyOf(secretRef(namespace, SERVER_CERT_SECRET)));
  const isNamed = names.dialled.every(({ host }) => host !== meshHostname(knownAs(cluster)));
  const clients = withoutNamesakes(cluster, all).filter((other) =>
    names.dialled.some(({ by }) => by.includes(knownAs(other))),
  );
  if (toolOwner(secret) !== undefined && isNamed && !names.lacksOwn && clients.length > 0) {
    const contexts = clients.map((client) => client.context);
    return `${toolOwner(secret)} made it, and it covers the name of the cluster in the mesh: dial that instead: ${connectCommand(context, contexts)}`;
  }
  const own = names.lacksOwn ? [serviceHostname(namespace)] : [];
  return reissueAdvice(cluster, [SERVER_CERT_SECRET], [...own, ...names.dialled.map(({ host }) => host)]);
}

/** Whether a server certificate is for what is dialled. */
export const NAMES_CHECK: MeshCheck = {
  id: 'tls-names',
  category: 'tls',
  title: 'server certificates cover the addresses that peers dial',
  needs: ['apiserver-deployed'],
  subject: (cluster, { clusters }) => {
    const certificate = certificateOf(cluster);
    if (!certificate) {
      const isBlind = cluster.unread?.has(keyOf(secretRef(cluster.namespace, SERVER_CERT_SECRET)));
      return { things: [], otherwise: 'there is no server certificate that can be read', isBlind };
    }
    const names = namesOf(cluster, certificate, clusters);
    const { undialled, unknown, diallers } = names;
    const lacks = undialled.join(', ');
    // What covers the addresses of the Service does, whoever comes to dial them.
    const isJudged = names.lacksOwn || diallers.length + unknown.length > 0 || undialled.length === 0;
    return {
      things: isJudged ? [SERVER_CERT_SECRET] : [],
      otherwise: `it does not cover ${lacks}, and no cluster dials it`,
      unseen:
        undialled.length > 0 && unknown.length > 0
          ? [
              `it does not cover ${lacks}, and what ${firstOf(unknown)} ${unknown.length === 1 ? 'dials' : 'dial'} is not known`,
            ]
          : [],
    };
  },
  run: ({ clusters }, all) =>
    clusters.flatMap((cluster): Finding[] => {
      const certificate = certificateOf(cluster);
      if (!certificate) return [];
      const names = namesOf(cluster, certificate, all);
      const isCached = runsKvstoremesh(apiserverDeployment(cluster)) === true;
      const own = serviceHostname(cluster.namespace);
      const reasons = [
        ...(names.lacksOwn ? [`${own}, ${isCached ? 'which its own agents dial' : 'by which connect proves'}`] : []),
        ...names.dialled.map(({ host, by }) => `${host}, which ${firstOf(by)} ${by.length === 1 ? 'dials' : 'dial'}`),
      ];
      if (reasons.length === 0) return [];
      const isBroken = names.cut.length > 0 || (names.lacksOwn && isCached);
      const args = { secret: SERVER_CERT_SECRET, reason: `it does not cover ${reasons.join('; ')}` };
      const hint = hintFor(cluster, names, all);
      return [findingOf('tls-names', isBroken ? 'fail' : 'warn', cluster.context, args, hint)];
    }),
  says: ({ args }) => `context "${args.context}": Secret ${args.secret}: ${args.reason}`,
};
