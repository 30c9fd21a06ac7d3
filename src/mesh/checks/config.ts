import { nodesForAgents } from '../cilium/agents.ts';
import {
  encryption,
  encryptionLoses,
  ipFamilies,
  isOn,
  routingMode,
  tunnelProtocol,
  underlayFamily,
} from '../cilium/datapath.ts';
import { restartCommand } from '../cilium/identity.ts';
import type { CiliumConfig, CiliumConfigKey } from '../cilium/known-keys.ts';
import { familiesOfNodes } from '../cilium/node-addresses.ts';
import { selectsLocalCluster } from '../cilium/policy-scope.ts';
import { saysAtOnce } from '../cilium/restart-agents.ts';
import { strictModeDrops } from '../cilium/strict-mode.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { ownedElsewhere } from '../command-line.ts';
import { firstOf, MOST_NAMED } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import { isGlobalByDefault } from '../services/annotations.ts';
import {
  besideOthers,
  type Check,
  type CheckInput,
  type Finding,
  listed,
  type Severity,
  type Subject,
} from './shared/check.ts';
import { comparedInVain, isMeant, meantPairs } from './shared/meant-pairs.ts';
import { NO_CONFIG } from './shared/subjects.ts';

interface Agreement {
  id: string;
  title: string;
  severity: Severity;
  /** The setting in words; undefined where it does not apply. Cilium's defaults stand for absent keys. */
  read(config: CiliumConfig, cluster: ClusterSnapshot): string | undefined;
  /** Why it does not apply. */
  otherwise?: string;
  /** What comes of a difference. */
  consequence: string;
  /** By what packets between one cluster and another that differs, and that it dials, are lost: a failure; and what comes of it then. */
  losses?: readonly { by: string; between(from: ClusterSnapshot, to: ClusterSnapshot): boolean; consequence: string }[];
  /** One sentence; how what runs gets it is added. */
  hint: string;
}

const AGREEMENTS: readonly Agreement[] = [
  {
    id: 'datapath-mode',
    title: 'all clusters use the same routing mode',
    severity: 'fail',
    read: routingMode,
    consequence: 'the routing mode differs',
    hint: 'All clusters of a mesh need the same routing-mode in ConfigMap cilium-config (Helm: routingMode): tunnel or native.',
  },
  {
    id: 'tunnel-protocol',
    title: 'all clusters use the same tunnel',
    severity: 'fail',
    read: tunnelProtocol,
    otherwise: 'it routes natively',
    consequence: 'the tunnel protocol differs',
    hint: 'All clusters of a mesh need the same tunnel-protocol in ConfigMap cilium-config (Helm: tunnelProtocol): vxlan or geneve.',
  },
  {
    // Each node sends to its own port (Cilium's option tunnel-port), so both sides must have the same.
    id: 'tunnel-port',
    title: 'all clusters have the same tunnel port',
    severity: 'fail',
    read: (config) => {
      const protocol = tunnelProtocol(config);
      const port = config['tunnel-port'] ?? '0';
      // Protocols differ in it too, which another check says.
      const isDefault = port === '0' || port === (protocol === 'geneve' ? '6081' : '8472');
      return protocol && (isDefault ? "the protocol's" : port);
    },
    otherwise: 'it routes natively',
    consequence: 'the UDP port of the tunnel differs',
    hint: 'All clusters of a mesh need the same tunnel-port in ConfigMap cilium-config (Helm: tunnelPort).',
  },
  {
    id: 'encryption',
    title: 'all clusters use the same encryption',
    severity: 'warn',
    read: encryption,
    consequence: 'encryption differs, so traffic between these clusters is not encrypted',
    losses: [
      {
        by: 'encryption',
        between: (from, to) => encryptionLoses(from.ciliumConfig ?? {}, to.ciliumConfig ?? {}),
        consequence: 'encryption differs, so packets between these clusters are lost',
      },
      {
        by: 'strict-mode',
        between: strictModeDrops,
        consequence: 'encryption differs, so traffic between these clusters is not encrypted, and strict mode drops it',
      },
    ],
    hint: 'Enable the same encryption (WireGuard or IPsec; Helm: encryption.enabled and encryption.type) in all clusters, or in none.',
  },
  {
    id: 'policy-default-local-cluster',
    title: 'policies select clusters in the same way everywhere',
    severity: 'warn',
    read: (_config, cluster) => selectsLocalCluster(cluster)?.toString(),
    otherwise:
      "it does not set policy-default-local-cluster, and its default hangs on the agents' version, which is not known",
    consequence: 'policy-default-local-cluster differs, so the same policy selects other peers here and there',
    hint: 'Set policy-default-local-cluster to the same value in ConfigMap cilium-config of all clusters (Helm: clustermesh.policyDefaultLocalCluster); where it is absent, Cilium before 1.19 takes false and later ones true.',
  },
  {
    id: 'global-namespaces',
    title: 'namespaces are global everywhere or nowhere',
    severity: 'warn',
    // Before Cilium 1.19 all are, whatever is set.
    read: (config, { agent }) => String(isGlobalByDefault(config, agent?.image)),
    consequence: 'clustermesh-default-global-namespace differs, so one side shares Services that the other does not',
    hint: 'Set clustermesh-default-global-namespace to the same value in ConfigMap cilium-config of all clusters (Helm: clustermesh.defaultGlobalNamespace).',
  },
  {
    id: 'mcs-api',
    title: 'the Multi-Cluster Services API is on everywhere or nowhere',
    severity: 'warn',
    read: (config) => (isOn(config, 'clustermesh-enable-mcs-api') ? 'on' : 'off'),
    consequence: 'clustermesh-enable-mcs-api differs, so exported Services are missing in some clusters',
    hint: 'Set clustermesh.mcsapi.enabled to the same value in the Helm values of all clusters: beside clustermesh-enable-mcs-api in ConfigMap cilium-config, the API takes CRDs and rights, which an upgrade by Helm brings.',
  },
];

/**
 * The keys of cilium-config by which these are judged. Agents read them when they are started, and `settings-running` looks whether they
 * have them.
 */
export const STARTED_SETTINGS: readonly CiliumConfigKey[] = [
  'routing-mode',
  'tunnel-protocol',
  'tunnel-port',
  'underlay-protocol',
  'enable-wireguard',
  'enable-ipsec',
  'enable-ztunnel',
  'policy-default-local-cluster',
  'clustermesh-default-global-namespace',
  'clustermesh-enable-mcs-api',
  'enable-ipv4',
  'enable-ipv6',
];

/** Settings in which clusters of one mesh must, or should, agree. */
export const CONFIG_CHECKS: readonly Check[] = [
  ...AGREEMENTS.map(
    (agreement): Check => ({
      id: agreement.id,
      category: 'config',
      title: agreement.title,
      subject: besideOthers((cluster) => settingOf(cluster, agreement)),
      run: (input) => disagreement(input, agreement),
      says: ({ args }) =>
        `${(agreement.losses?.find(({ by }) => by === args.lostBy) ?? agreement).consequence} (${listed(args.settings, '; ')})`,
    }),
  ),
  {
    id: 'ip-families',
    category: 'config',
    title: 'all clusters have the same IP families',
    subject: besideOthers((cluster) => settingOf(cluster, { read: familiesOf })),
    run: (input) => {
      const found = disagreement(input, {
        id: 'ip-families',
        severity: 'warn',
        read: familiesOf,
        hint: FAMILY_HINT,
        restarts: false,
      });
      const lacksCommon =
        found.length > 0 && meantPairs(input.clusters, input).some(([one, other]) => !haveCommonFamily(one, other));
      const ofClusters = found.map((finding) =>
        lacksCommon && finding.severity === 'warn' ? { ...finding, severity: 'fail' as const } : finding,
      );
      const apart = nodesApart(input);
      return [...ofClusters, ...(apart.length > 0 ? apart : tunnelsApart(input))];
    },
    says: ({ severity, args }) => {
      if (args.ofTunnel)
        return `nodes have no address of the IP family in which tunnels lead to them (${listed(args.settings, '; ')})`;
      const lacking = args.ofNodes
        ? 'nodes of these clusters have no IP family in common'
        : 'there is no IP family that all clusters have';
      return `${severity === 'fail' ? lacking : 'the IP families differ'} (${listed(args.settings, '; ')})`;
    },
  },
];

/** Clusters whose nodes have addresses of families that no node of the other has: no packet gets from one to the other. */
function nodesApart(input: CheckInput): Finding[] {
  return meantPairs(input.clusters, input)
    .map((pair) => pair.map((cluster) => ({ context: cluster.context, families: familiesOfNodes(cluster) })))
    .filter((pair) => pair.every(({ families }) => families.length > 0))
    .filter(([one, other]) => !one?.families.some((family) => other?.families.includes(family)))
    .map((pair) => {
      const settings = pair.map(({ context, families }) => `${context}: IPv${families.join('+IPv')}`);
      return { id: 'ip-families', severity: 'fail', args: { settings, ofNodes: true }, hint: NODE_FAMILY_HINT };
    });
}

/**
 * Nodes without an address of the family in which tunnels between two clusters are: their own cluster's, or the other's. The other sends
 * them packets there, and is sent packets there, for its pods are said to be at such an address of its nodes (pkg/node/manager,
 * `NodeUpdated`; pkg/node, `GetCiliumEndpointNodeIP`). Which nodes an address of an invitation is of is not told: of its cluster it is
 * only judged whether any has one.
 */
function tunnelsApart(input: CheckInput): Finding[] {
  const pairs = meantPairs(input.clusters, input).filter(([one, other]) => haveCommonFamily(one, other));
  return input.clusters.flatMap((to) => {
    const among = [...new Set(pairs.filter((pair) => pair.includes(to)).flat())];
    const tunneling = among.filter(({ ciliumConfig }) => ciliumConfig && tunnelProtocol(ciliumConfig) !== undefined);
    const byFamily = groupBy(tunneling, ({ ciliumConfig }) => underlayFamily(ciliumConfig ?? {}));
    return [...byFamily].flatMap(([family, clusters]): Finding[] => {
      const nodes = nodesForAgents(to).filter((node) => familiesOfNodes({ nodes: [node] }).length > 0);
      const lacking = nodes.filter((node) => !familiesOfNodes({ nodes: [node] }).includes(family));
      const isWhole = lacking.length === nodes.length;
      if (lacking.length === 0 || (!isWhole && ownedElsewhere(to.context) !== undefined)) return [];
      const at = isWhole ? 'its nodes' : firstOf(lacking.map(({ name }) => name));
      const tunnels = `${firstOf(clusters.map(({ context }) => context))}: tunnels over IPv${family}`;
      const args = { settings: [tunnels, `${to.context}: no IPv${family} at ${at}`], ofTunnel: true };
      return [{ id: 'ip-families', severity: 'fail', args, hint: `${TUNNEL_FAMILY_HINT}${restartHint(clusters)}` }];
    });
  });
}

const TUNNEL_FAMILY_HINT =
  'Give these nodes addresses of that family too, or set underlay-protocol in ConfigMap cilium-config (Helm: underlayProtocol) to the family that all nodes have.';

const NODE_FAMILY_HINT =
  'All packets travel between nodes: give the nodes of one side addresses of the family that those of the other have.';

const FAMILY_HINT = 'Pods reach each other only over families that both clusters have (enable-ipv4, enable-ipv6).';

/** Whether pods of two clusters have addresses of one family, so that there is anything to send. */
function haveCommonFamily(one: ClusterSnapshot, other: ClusterSnapshot): boolean {
  const theirs = ipFamilies(other.ciliumConfig ?? {});
  return ipFamilies(one.ciliumConfig ?? {}).some((family) => theirs.includes(family));
}

function familiesOf(config: CiliumConfig): string {
  return ipFamilies(config)
    .map((family) => `IPv${family}`)
    .join('+');
}

/** A cluster's setting as what is looked at. */
function settingOf(cluster: ClusterSnapshot, { read, otherwise = '' }: Pick<Agreement, 'read' | 'otherwise'>): Subject {
  if (!cluster.ciliumConfig) return { things: [], otherwise: NO_CONFIG };
  const setting = read(cluster.ciliumConfig, cluster);
  return { things: setting === undefined ? [] : [setting], otherwise };
}

function disagreement(
  input: CheckInput,
  {
    id,
    severity,
    read,
    hint,
    losses = [],
    restarts = true,
  }: Pick<Agreement, 'id' | 'severity' | 'read' | 'hint' | 'losses'> & { restarts?: boolean },
): Finding[] {
  const settingIn = (cluster: ClusterSnapshot) => cluster.ciliumConfig && read(cluster.ciliumConfig, cluster);
  const readable = input.clusters.filter((cluster) => settingIn(cluster) !== undefined);
  const groups = groupBy(readable, (cluster) => settingIn(cluster) ?? '');
  if (groups.size < 2) return [];
  const settings = [...groups].map(([setting, same]) => `${same.map(({ context }) => context).join(', ')}: ${setting}`);
  const meant = meantPairs(readable, input);
  if (!meant.some(([one, other]) => settingIn(one) !== settingIn(other))) return comparedInVain(id, readable, settings);
  const ways = meant.flatMap(([one, other]) => [[one, other] as const, [other, one] as const]);
  const lost = losses.find(({ between }) => ways.some(([from, to]) => isMeant(from, to, input) && between(from, to)));
  const args = { settings, ...(lost ? { isLoss: true, lostBy: lost.by } : {}) };
  return [{ id, severity: lost ? 'fail' : severity, args, hint: `${hint}${restarts ? restartHint(readable) : ''}` }];
}

/** What changes nothing that runs mends nothing: the programs read these settings only when they start. */
function restartHint(clusters: readonly ClusterSnapshot[]): string {
  const own = clusters.filter(({ context }) => ownedElsewhere(context) === undefined);
  if (own.length === 0) return '';
  const restarts = own.slice(0, MOST_NAMED).map(restartCommand);
  return ` What runs reads it only at its start: restart it wherever it was set${own.slice(0, MOST_NAMED).map(saysAtOnce).find(Boolean) ?? ''}, as by ${restarts.join('; or ')}`;
}
