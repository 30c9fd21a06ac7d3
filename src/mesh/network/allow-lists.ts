import { parseCidr } from '../cilium/cidr.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { serviceSpec } from '../objects/service.ts';

/** Whom the load balancer of a Service lets in, as far as the Service says. */
export interface AllowList {
  /** The only ranges from which clients are let in; none where everyone is, or where it is not known. */
  ranges: string[];
  /** Why it is not known who is: one clause about the cluster. */
  unread?: string | undefined;
}

const KUBERNETES = 'service.beta.kubernetes.io';

/** What an annotation lists, word by word. */
type Reader = (value: string) => string[];

const words: Reader = (value) => value.split(',');

/**
 * Annotations with ranges, which load balancers go by where the field has none: Kubernetes' own (cloud-provider,
 * `GetLoadBalancerSourceRanges`, and the AWS Load Balancer Controller), and those of cloud-provider-azure and of
 * digitalocean-cloud-controller-manager (`cidr:10.0.0.0/8,ip:192.0.2.1`; the field goes before it since 0.1.52).
 */
const READERS: Readonly<Record<string, Reader>> = {
  [`${KUBERNETES}/load-balancer-source-ranges`]: words,
  [`${KUBERNETES}/azure-allowed-ip-ranges`]: words,
  [`${KUBERNETES}/do-loadbalancer-allow-rules`]: (value) =>
    words(value).map((word) => word.replace(/^\s*(cidr|ip):/, '')),
};

/**
 * Of clouds whose load balancers go by an annotation alone, whatever the field has, that annotation and the form of its value, by the
 * scheme of their nodes' provider ids (linode-cloud-controller-manager, UpdateNodeBalancerFirewall, which takes the ports from the Service;
 * vultr-cloud-controller-manager, buildFirewallRules).
 */
const BY_ANNOTATION_ALONE: Readonly<Record<string, { name: string; lettingIn(ranges: string, port: number): string }>> =
  {
    linode: {
      name: `${KUBERNETES}/linode-loadbalancer-firewall-acl`,
      lettingIn: (ranges) => JSON.stringify({ allowList: { ipv4: [ranges] } }),
    },
    vultr: {
      name: `${KUBERNETES}/vultr-loadbalancer-firewall-rules`,
      lettingIn: (ranges, port) => `${ranges},${port}`,
    },
  };

/** What stands for the ranges of other clusters, which only the operator knows. */
const RANGES = '<range>';

/**
 * The annotation by which a load balancer lets in certain ranges only; undefined where the field of the Service does that.
 * @param schemes of the provider ids that nodes have
 * @param port of the Service
 */
export function annotationOfRanges(
  schemes: readonly string[],
  port: number,
): { name: string; value: string } | undefined {
  const [found] = schemes.flatMap((scheme) => BY_ANNOTATION_ALONE[scheme] ?? []);
  return found && { name: found.name, value: found.lettingIn(RANGES, port) };
}

/**
 * Annotations that leave it to something outside of the cluster who is let in, as a security group, or that keep the ranges out
 * which they name: of the AWS Load Balancer Controller, cloud-provider-azure, the cloud controllers of DigitalOcean, Linode, Civo,
 * Alibaba Cloud, Huawei Cloud and Tencent Cloud. Beside those that are gone by alone, a field would let nobody in.
 */
const OUTSIDE = [
  `${KUBERNETES}/aws-load-balancer-security-groups`,
  `${KUBERNETES}/aws-load-balancer-security-group-prefix-lists`,
  `${KUBERNETES}/azure-allowed-service-tags`,
  `${KUBERNETES}/do-loadbalancer-deny-rules`,
  `${KUBERNETES}/linode-loadbalancer-firewall-id`,
  ...Object.values(BY_ANNOTATION_ALONE).map(({ name }) => name),
  'kubernetes.civo.com/firewall-id',
  `${KUBERNETES}/alibaba-cloud-loadbalancer-acl-id`,
  'kubernetes.io/elb.acl-id',
  'service.cloud.tencent.com/security-groups',
];

/** With the value `deny`, Cilium's load balancer keeps out whom the field names (Cilium's pkg/annotation). */
const POLICY = 'service.cilium.io/src-ranges-policy';

/**
 * Whom the load balancer of a Service lets in: everyone where there is none, as node ports are open whatever is written there
 * (Kubernetes' API reference, ServiceSpec). What the field says the nodes go by too, so that an annotation lets in nobody besides.
 */
export function allowList(service: KubeObject | undefined): AllowList {
  const { type, loadBalancerSourceRanges: field = [] } = serviceSpec(service);
  if (type !== 'LoadBalancer') return { ranges: [] };
  const annotations = service?.metadata.annotations ?? {};
  const denying = annotations[POLICY]?.toLowerCase() === 'deny' && field.length > 0 ? [POLICY] : [];
  const outside = [...denying, ...OUTSIDE.filter((name) => annotations[name])];
  const listed = Object.entries(READERS).flatMap(([name, read]) => {
    const value = annotations[name]?.trim();
    return value ? [{ name, ranges: read(value).map((word) => word.trim()) }] : [];
  });
  const unreadable = field.length > 0 ? [] : listed.filter(({ ranges }) => !ranges.every(isRange));
  const [by] = [...outside, ...unreadable.map(({ name }) => name)];
  if (by !== undefined) return { ranges: [], unread: `its Service leaves it to the annotation ${by} who is let in` };
  const ranges = field.length > 0 ? field.map((range) => range.trim()) : listed.flatMap((one) => one.ranges);
  return { ranges: [...new Set(ranges)].filter(isRange) };
}

function isRange(text: string): boolean {
  return parseCidr(text) !== undefined;
}
