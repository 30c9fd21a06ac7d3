import { hostPort, splitHostPort } from '../apiserver/endpoints.ts';
import type { CertificateFacts, TlsSecretFacts } from '../certificates/certificate.ts';
import { canonicalIp } from '../cilium/cidr.ts';
import type { CiliumConfigKey } from '../cilium/known-keys.ts';
import { internalAddresses } from '../cilium/node-addresses.ts';
import { podRanges } from '../cilium/pod-ranges.ts';
import { formatVersion, versionOfAgents } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { unnamedContext } from '../command-line.ts';
import type { Member } from '../connect/member.ts';
import type { DescribedCluster } from './message.ts';

/** The keys of cilium-config that the checks of clusters which are to be of one mesh look at; nothing else is told. */
export const SETTINGS_OF_MESSAGES: readonly CiliumConfigKey[] = [
  'max-connected-clusters',
  'identity-allocation-mode',
  'routing-mode',
  'tunnel-protocol',
  'tunnel-port',
  'underlay-protocol',
  'ipam',
  'enable-ipv4',
  'enable-ipv6',
  'enable-ipv4-masquerade',
  'enable-ipv6-masquerade',
  'enable-ip-masq-agent',
  'ipv4-native-routing-cidr',
  'ipv6-native-routing-cidr',
  'enable-wireguard',
  'enable-ipsec',
  'enable-ztunnel',
  'disable-endpoint-crd',
  'enable-encryption-strict-mode',
  'encryption-strict-mode-cidr',
  'enable-encryption-strict-mode-egress',
  'encryption-strict-egress-cidr',
  'enable-encryption-strict-mode-ingress',
  'allow-unsafe-policy-skb-usage',
  'encrypt-node',
  'enable-host-firewall',
  'kube-proxy-replacement',
  'cni-chaining-mode',
  'policy-default-local-cluster',
  'clustermesh-default-global-namespace',
  'clustermesh-enable-mcs-api',
];

/** What a message tells of a cluster. @param ca PEM, the certificate that signs first */
export function describeCluster({ snapshot, identity, endpoints }: Member, ca: string): DescribedCluster {
  const { ciliumConfig = {}, nodes, serviceCidrs, agent } = snapshot;
  const { given, pools } = podRanges(snapshot);
  const version = versionOfAgents(agent);
  const settings = SETTINGS_OF_MESSAGES.flatMap((key) => {
    const value = ciliumConfig[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    name: identity.name,
    id: identity.id,
    ciliumVersion: version && formatVersion(version),
    settings: Object.fromEntries(settings),
    // What could not be read is no empty list: the other owner would take it for a cluster without pods.
    podRanges: isUnread(given, snapshot.ciliumPodCidrs) ? undefined : given.map(({ text }) => text),
    podPools:
      isUnread(pools, snapshot.podPools) && ciliumConfig.ipam === 'multi-pool'
        ? undefined
        : pools.map(({ text }) => text),
    serviceRanges: serviceCidrs,
    nodeAddresses: nodes.flatMap(internalAddresses),
    endpoints: endpoints.map(({ host, port }) => hostPort(host, port)),
    ca,
  };
}

/** A cluster may have other ranges than those of Cilium's own objects. */
function isUnread(ranges: readonly unknown[], own: readonly string[] | undefined): boolean {
  return ranges.length === 0 && own === undefined;
}

/**
 * The cluster of a message as the checks and plans take clusters, as far as the message tells of it. Its context is one
 * that nobody here knows.
 * @param authorities every certificate of its CA
 */
export function memberOf(cluster: DescribedCluster, authorities: readonly CertificateFacts[]): Member {
  const { name, id, settings } = cluster;
  const [certificate] = authorities;
  const context = unnamedContext(name);
  const snapshot: ClusterSnapshot = {
    context,
    server: '',
    namespace: '',
    ciliumConfig: { ...settings, 'cluster-name': name, 'cluster-id': String(id) },
    agent: {
      image: cluster.ciliumVersion === undefined ? 'cilium' : `cilium:v${cluster.ciliumVersion}`,
      desired: 1,
      ready: 1,
    },
    nodes: cluster.nodeAddresses.map(canonicalIp).map((address) => ({
      name: address,
      ready: true,
      labels: {},
      addresses: [{ type: 'InternalIP', address }],
      podCidrs: [],
    })),
    ciliumPodCidrs: cluster.podRanges,
    podSubnets: cluster.podRanges?.map((cidr) => ({ cidr })),
    podPools: cluster.podPools,
    serviceCidrs: cluster.serviceRanges,
    apiGroups: [],
    objects: new Map(),
    tlsSecrets: new Map<string, TlsSecretFacts>(),
    peerCertificates: new Map(),
    ...(certificate
      ? {
          ca: {
            certificate,
            bundle: authorities,
            certificatePem: cluster.ca,
            hasKey: false,
            keyMatches: false,
          },
        }
      : {}),
  };
  return {
    snapshot,
    identity: { name, id, maxConnectedClusters: Number(settings['max-connected-clusters'] ?? 255) },
    endpoints: cluster.endpoints.map(splitHostPort),
  };
}
