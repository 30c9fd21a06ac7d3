import type { CiliumVersion } from './versions/versions.ts';

/** Where a key is defined in cilium/cilium, in the last version that has it, and the first and last minor of those looked at that have it. */
type KeyFact = readonly [file: string, first: Minor, last: Minor];

/** The minors whose sources the ledger was compared with. */
const LOOKED_AT = ['1.16', '1.17', '1.18', '1.19', '1.20'] as const;
type Minor = (typeof LOOKED_AT)[number];

/**
 * The ledger of Cilium's keys: all of ConfigMap cilium-config, all annotations and all labels of Cilium that meshctl reads or
 * writes, and no other. What is not in it does not compile, or fails test/unit/known-keys.test.ts: an agent passes over a key that it
 * does not know and says nothing, so an invented or misspelt one is never noticed.
 */
export const KNOWN_KEYS = {
  config: {
    'allow-unsafe-policy-skb-usage': ['pkg/clustermesh/types/option.go', '1.18', '1.20'],
    'auto-direct-node-routes': ['pkg/option/config.go', '1.16', '1.20'],
    'bpf-lb-sock': ['pkg/kpr/kpr.go', '1.16', '1.20'],
    'cluster-health-port': ['pkg/option/config.go', '1.16', '1.20'],
    'cluster-id': ['pkg/clustermesh/types/option.go', '1.16', '1.20'],
    'cluster-name': ['pkg/clustermesh/types/option.go', '1.16', '1.20'],
    'cluster-pool-ipv4-cidr': ['operator/pkg/ipam/clusterpool.go', '1.16', '1.20'],
    'cluster-pool-ipv4-mask-size': ['operator/pkg/ipam/clusterpool.go', '1.16', '1.20'],
    'cluster-pool-ipv6-cidr': ['operator/pkg/ipam/clusterpool.go', '1.16', '1.20'],
    'cluster-pool-ipv6-mask-size': ['operator/pkg/ipam/clusterpool.go', '1.16', '1.20'],
    'clustermesh-cache-ttl': ['pkg/clustermesh/common/config.go', '1.19', '1.20'],
    'clustermesh-default-global-namespace': ['pkg/clustermesh/namespace/config.go', '1.19', '1.20'],
    'clustermesh-enable-endpoint-sync': ['pkg/clustermesh/operator/cell.go', '1.16', '1.20'],
    'clustermesh-enable-mcs-api': ['pkg/clustermesh/mcsapi/types/config.go', '1.16', '1.20'],
    'cni-chaining-mode': ['pkg/option/config.go', '1.16', '1.20'],
    debug: ['pkg/option/config.go', '1.16', '1.20'],
    'disable-endpoint-crd': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-bgp-control-plane': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-cilium-endpoint-slice': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-egress-gateway': ['pkg/option/config.go', '1.18', '1.20'],
    'enable-encryption-strict-mode': ['pkg/option/config.go', '1.16', '1.19'],
    'enable-encryption-strict-mode-egress': ['pkg/option/config.go', '1.19', '1.20'],
    'enable-encryption-strict-mode-ingress': ['pkg/option/config.go', '1.19', '1.20'],
    'enable-health-checking': ['pkg/healthconfig/cell.go', '1.16', '1.20'],
    'enable-host-firewall': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-internal-traffic-policy': ['pkg/option/config.go', '1.17', '1.18'],
    'enable-ip-masq-agent': ['pkg/ipmasq/cell/config.go', '1.16', '1.20'],
    'enable-ipsec': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-ipv4': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-ipv4-egress-gateway': ['pkg/option/config.go', '1.16', '1.18'],
    'enable-ipv4-masquerade': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-ipv6': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-ipv6-masquerade': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-k8s-endpoint-slice': ['pkg/k8s/resource_ctors.go', '1.16', '1.18'],
    'enable-node-port': ['pkg/kpr/kpr.go', '1.16', '1.18'],
    'enable-policy': ['pkg/option/config.go', '1.16', '1.20'],
    'enable-service-topology': ['pkg/loadbalancer/config.go', '1.16', '1.20'],
    'enable-wireguard': ['pkg/wireguard/types/option.go', '1.16', '1.20'],
    'enable-ztunnel': ['pkg/ztunnel/config/config.go', '1.19', '1.20'],
    'encrypt-node': ['pkg/option/config.go', '1.16', '1.20'],
    'encryption-strict-egress-cidr': ['pkg/option/config.go', '1.19', '1.20'],
    'encryption-strict-mode-cidr': ['pkg/option/config.go', '1.16', '1.19'],
    'identity-allocation-mode': ['pkg/option/config.go', '1.16', '1.20'],
    ipam: ['pkg/option/config.go', '1.16', '1.20'],
    'ipv4-native-routing-cidr': ['pkg/option/config.go', '1.16', '1.20'],
    'ipv6-native-routing-cidr': ['pkg/option/config.go', '1.16', '1.20'],
    'kube-proxy-replacement': ['pkg/kpr/kpr.go', '1.16', '1.20'],
    'max-connected-clusters': ['pkg/clustermesh/types/option.go', '1.16', '1.20'],
    mtu: ['pkg/mtu/cell.go', '1.16', '1.20'],
    'policy-cidr-match-mode': ['pkg/option/config.go', '1.16', '1.20'],
    'policy-default-local-cluster': ['pkg/clustermesh/types/option.go', '1.18', '1.20'],
    'routing-mode': ['pkg/option/config.go', '1.16', '1.20'],
    'tunnel-port': ['pkg/datapath/tunnel/tunnel.go', '1.16', '1.20'],
    'tunnel-protocol': ['pkg/datapath/tunnel/tunnel.go', '1.16', '1.20'],
    'underlay-protocol': ['pkg/datapath/tunnel/tunnel.go', '1.18', '1.20'],
  },
  annotations: {
    'clustermesh.cilium.io/global': ['pkg/annotation/k8s.go', '1.19', '1.20'],
    'io.cilium/global-service': ['pkg/annotation/k8s.go', '1.16', '1.20'],
    'io.cilium/lb-ipam-ips': ['pkg/annotation/k8s.go', '1.16', '1.20'],
    'io.cilium/service-affinity': ['pkg/annotation/k8s.go', '1.16', '1.20'],
    'io.cilium/shared-service': ['pkg/annotation/k8s.go', '1.16', '1.20'],
    'lbipam.cilium.io/ips': ['pkg/annotation/k8s.go', '1.16', '1.20'],
    'service.cilium.io/affinity': ['pkg/annotation/k8s.go', '1.16', '1.20'],
    'service.cilium.io/global': ['pkg/annotation/k8s.go', '1.16', '1.20'],
    'service.cilium.io/global-sync-endpoint-slices': ['pkg/annotation/k8s.go', '1.16', '1.20'],
    'service.cilium.io/shared': ['pkg/annotation/k8s.go', '1.16', '1.20'],
    'service.cilium.io/src-ranges-policy': ['pkg/annotation/k8s.go', '1.17', '1.20'],
    'service.cilium.io/weight': ['pkg/annotation/k8s.go', '1.20', '1.20'],
  },
  labels: {
    // Of nodes on which the tests of cilium-cli, which came into the repository with 1.17, want no Cilium.
    'cilium.io/no-schedule': ['cilium-cli/connectivity/check/deployment.go', '1.17', '1.20'],
    'io.cilium/app': ['install/kubernetes/cilium/templates/cilium-operator/deployment.yaml', '1.16', '1.20'],
    'io.cilium.k8s.namespace.labels': ['pkg/k8s/apis/cilium.io/const.go', '1.16', '1.20'],
    'io.cilium.k8s.policy.cluster': ['pkg/k8s/apis/cilium.io/const.go', '1.16', '1.20'],
    'io.cilium.k8s.policy.serviceaccount': ['pkg/k8s/apis/cilium.io/const.go', '1.16', '1.20'],
    'k8s-app=cilium': ['install/kubernetes/cilium/templates/cilium-agent/daemonset.yaml', '1.16', '1.20'],
    'k8s-app=clustermesh-apiserver': [
      'install/kubernetes/cilium/templates/clustermesh-apiserver/deployment.yaml',
      '1.16',
      '1.20',
    ],
  },
} as const satisfies Readonly<Record<'config' | 'annotations' | 'labels', Readonly<Record<string, KeyFact>>>>;

/** A key of ConfigMap cilium-config. */
export type CiliumConfigKey = keyof typeof KNOWN_KEYS.config;

/** `data` of ConfigMap cilium-config, as far as meshctl knows its keys. Cilium's defaults stand for absent ones. */
export type CiliumConfig = Readonly<Partial<Record<CiliumConfigKey, string>>>;

/** Whether a version obeys a key of cilium-config; one that is newer than all that were looked at is taken for the newest of them. */
export function obeysKey({ major, minor }: Pick<CiliumVersion, 'major' | 'minor'>, key: CiliumConfigKey): boolean {
  const [, first, last]: KeyFact = KNOWN_KEYS.config[key];
  const at = major * 1000 + minor;
  return at >= ordinal(first) && (at <= ordinal(last) || last === LOOKED_AT.at(-1));
}

function ordinal(minor: Minor): number {
  const [major = 0, second = 0] = minor.split('.').map(Number);
  return major * 1000 + second;
}
