import { runsKvstoremesh } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { endpointsHint, lackOfEndpoints } from '../cilium/cilium-endpoints.ts';
import { isOn, replacesKubeProxy, routingMode } from '../cilium/datapath.ts';
import { identityOf, wayBack } from '../cilium/identity.ts';
import type { CiliumConfig } from '../cilium/known-keys.ts';
import {
  hasMarkedId,
  markedIdRefusal,
  marksByInterface,
  UNMARKED_IDS,
  WITHOUT_ZTUNNEL,
  ztunnelRefusal,
} from '../cilium/start-refusals.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand, ownedElsewhere } from '../command-line.ts';
import { uncapital } from '../counted.ts';
import { besideOthers, type Check, type Finding, listed, type Subject } from './shared/check.ts';
import { comparedInVain, meantPairs } from './shared/meant-pairs.ts';
import { NO_CONFIG } from './shared/subjects.ts';

/** Something that is known not to work with Cluster Mesh, within one cluster. */
interface Combination {
  id: string;
  title: string;
  /** Where it is described. */
  address: string;
  /** What of the cluster's settings is looked at; undefined where it does not apply, for the reason in `otherwise`. */
  applies(config: CiliumConfig): boolean;
  otherwise: string;
  /** What is wrong, as a clause; undefined where nothing is. */
  judge(config: CiliumConfig, cluster: ClusterSnapshot): string | undefined;
  /** Whether agents or Cilium's chart refuse it, so that it is a failure. */
  isRefused?(config: CiliumConfig): boolean;
  /** How it ends; with a command, if it is one. */
  hint(cluster: ClusterSnapshot): string;
}

const COMBINATIONS: readonly Combination[] = [
  {
    id: 'cluster-id-of-eni',
    title: 'cluster ids do not clash with the packet mark of cloud interfaces',
    address: 'https://github.com/cilium/cilium/issues/21330',
    applies: marksByInterface,
    otherwise: 'it does not take addresses of cloud interfaces (ENI)',
    judge: (config) => {
      const { id } = identityOf(config);
      const isMarked = hasMarkedId(config, id);
      return (
        markedIdRefusal(config, id)?.reason ??
        (isMarked ? `the id is ${id}; with it policies drop what they allow` : undefined)
      );
    },
    isRefused: (config) => markedIdRefusal(config, identityOf(config).id) !== undefined,
    hint: (cluster) => uncapital(wayBack(cluster) ?? `give the cluster ${UNMARKED_IDS}.`),
  },
  {
    id: 'ztunnel',
    title: 'no cluster encrypts with ztunnel, which excludes Cluster Mesh',
    address: 'https://docs.cilium.io/en/stable/security/network/encryption-ztunnel/',
    applies: () => true,
    otherwise: '',
    judge: (_config, cluster) => ztunnelRefusal(cluster)?.reason,
    isRefused: () => true,
    hint: () => WITHOUT_ZTUNNEL,
  },
  {
    id: 'cilium-endpoints',
    title: 'agents write the CiliumEndpoints by which peers know pods',
    address: 'https://docs.cilium.io/en/stable/helm-reference/',
    applies: () => true,
    otherwise: '',
    judge: lackOfEndpoints,
    isRefused: () => true,
    hint: (cluster) => {
      const theirs = ownedElsewhere(cluster.context);
      if (theirs !== undefined) return `have the owner of "${theirs}" set disableEndpointCRD to false and start over.`;
      return uncapital(endpointsHint(cluster));
    },
  },
  {
    id: 'wireguard-of-nodes',
    title: 'WireGuard node encryption does not keep agents from dialling peers',
    address: 'https://github.com/cilium/cilium/issues/31209',
    applies: (config) => isOn(config, 'enable-wireguard'),
    otherwise: 'it does not use WireGuard',
    judge: (config, { objects, namespace }) => {
      const dialsItself = runsKvstoremesh(apiserverDeployment({ objects, namespace })) === false;
      const ofHosts = isOn(config, 'enable-host-firewall') ? 'the host firewall' : 'encryption of nodes (encrypt-node)';
      const isAsymmetric =
        dialsItself &&
        routingMode(config) === 'tunnel' &&
        replacesKubeProxy(config) &&
        (isOn(config, 'enable-host-firewall') || isOn(config, 'encrypt-node'));
      return isAsymmetric
        ? `agents dial peers themselves (no KVStoreMesh), with tunnels, kube-proxy replacement, WireGuard and ${ofHosts}: first connections to NodePorts may fail`
        : undefined;
    },
    hint: ({ context }) =>
      `let KVStoreMesh dial: ${meshctlCommand('clustermesh enable', { context }, ['--enable-kvstoremesh'])}`,
  },
];

/** Settings that are known not to go together with Cluster Mesh, each with the address where that is described. */
export const COMBINATION_CHECKS: readonly Check[] = [
  ...COMBINATIONS.map(
    ({ id, title, address, applies, otherwise, judge, isRefused, hint }): Check => ({
      id,
      category: 'config',
      title,
      subject: ({ ciliumConfig: config }) => {
        if (!config) return { things: [], otherwise: NO_CONFIG };
        return { things: applies(config) ? ['cilium-config'] : [], otherwise };
      },
      run: ({ clusters }) =>
        clusters.flatMap((cluster): Finding[] => {
          const { context, ciliumConfig = {} } = cluster;
          const reason = judge(ciliumConfig, cluster);
          if (reason === undefined) return [];
          return [
            {
              id,
              severity: isRefused?.(ciliumConfig) ? 'fail' : 'warn',
              cluster: context,
              args: { context, reason },
              hint: `See ${address}; ${hint(cluster)}`,
            },
          ];
        }),
      says: ({ args }) => `context "${args.context}": ${args.reason}`,
    }),
  ),
  {
    id: 'ipsec-keys',
    category: 'config',
    title: 'all clusters encrypt with the same IPsec key',
    subject: besideOthers(ipsecKeyOf),
    run: ({ clusters, unpaired }) => {
      const keys = new Set(clusters.map(({ ipsecKeyDigest }) => ipsecKeyDigest));
      if (keys.size < 2) return [];
      const contexts = clusters.map(({ context }) => context);
      const differs = meantPairs(clusters, { unpaired }).some(
        ([one, other]) => one.ipsecKeyDigest !== other.ipsecKeyDigest,
      );
      if (!differs) return comparedInVain('ipsec-keys', clusters, [`the keys of ${contexts.join(', ')} differ`]);
      const hint =
        'What one cluster encrypts the other cannot read. Give all the same Secret cilium-ipsec-keys: https://docs.cilium.io/en/stable/security/network/encryption-ipsec/#key-rotation';
      return [{ id: 'ipsec-keys', severity: 'fail', args: { contexts }, hint }];
    },
    says: ({ args }) => `contexts ${listed(args.contexts)}: the keys in Secret cilium-ipsec-keys differ`,
  },
];

function ipsecKeyOf({ ciliumConfig, ipsecKeyDigest, refused }: ClusterSnapshot): Subject {
  const otherwise = !ciliumConfig
    ? NO_CONFIG
    : isOn(ciliumConfig, 'enable-ipsec')
      ? 'its Secret cilium-ipsec-keys could not be read'
      : 'it does not use IPsec';
  return { things: ipsecKeyDigest === undefined ? [] : ['key'], otherwise, isBlind: refused?.has('ipsec-keys') };
}
