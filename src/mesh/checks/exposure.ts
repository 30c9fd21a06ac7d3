import { apiserverService } from '../apiserver/live.ts';
import { lackOfService } from '../apiserver/service-lack.ts';
import { restoreTypeCommand } from '../apiserver/service-type-taken.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import { nodePortCommand } from '../enable/exposure/node-port.ts';
import { nodesKeptOut, rangesToLetIn, sourceRanges } from '../network/source-ranges.ts';
import { serviceSpec } from '../objects/service.ts';
import { groupBy } from '../pairs.ts';
import { othersMeant } from './shared/ask-nodes.ts';
import { besideOthers, type Check, type CheckInput, type Finding, listed } from './shared/check.ts';

/** How the clustermesh-apiservers of a mesh can be reached. */
export const EXPOSURE_CHECKS: readonly Check[] = [
  {
    id: 'node-port-unique',
    category: 'addresses',
    title: 'no two clusters use the same NodePort',
    subject: besideOthers((cluster) => {
      const port = nodePortOf(cluster);
      return {
        things: port === undefined ? [] : [String(port)],
        otherwise: 'its clustermesh-apiserver has no NodePort',
      };
    }),
    run: equalNodePorts,
    says: ({ args }) =>
      `contexts ${listed(args.contexts)}: the clustermesh-apiservers have the same NodePort ${args.port}`,
  },
  {
    id: 'service-reachable',
    category: 'addresses',
    title: 'the clustermesh-apiserver can be reached from outside its cluster',
    subject: (cluster) => ({
      things: [serviceSpec(apiserverService(cluster)).type ?? []].flat(),
      otherwise: NO_SERVICE,
    }),
    run: ({ clusters }) =>
      clusters.flatMap((cluster): Finding[] => {
        const { context } = cluster;
        const service = apiserverService(cluster);
        const isOfNoType = lackOfService(cluster, service) !== undefined;
        if (!isOfNoType && serviceSpec(service).type !== 'ClusterIP') return [];
        const args = isOfNoType ? { foundBy: 'service-type', foundIn: context } : { context };
        const command =
          restoreTypeCommand(cluster) ??
          meshctlCommand('clustermesh enable', { context }, ['--service-type', 'LoadBalancer']);
        const hint = `Peers reach a ClusterIP only where the network routes it. Otherwise: ${command}`;
        return [{ id: 'service-reachable', severity: 'warn', cluster: context, args, hint }];
      }),
    says: ({ args }) => `context "${args.context}": the clustermesh-apiserver's Service has the type ClusterIP`,
  },
  {
    id: 'source-ranges',
    category: 'addresses',
    title: 'the source ranges of load balancers let the nodes of other clusters in',
    subject: (cluster, { clusters }) => {
      if (serviceSpec(apiserverService(cluster)).type === undefined) return { things: [], otherwise: NO_SERVICE };
      const others = othersMeant(cluster, clusters);
      // Without ranges everyone is let in, whoever they are.
      const isOpen = sourceRanges(cluster).length === 0;
      const looks = others.map((other) => ({
        context: other.context,
        why: isOpen ? undefined : whyUnjudged(other, cluster),
      }));
      const unseen = looks.flatMap(({ why }) => why ?? []);
      return {
        things: looks.flatMap(({ context, why }) => (why === undefined ? [context] : [])),
        otherwise: unseen.join('; ') || 'there is no other cluster that it could keep out',
        unseen,
      };
    },
    run: ({ clusters }, all) => clusters.flatMap((cluster) => shutOut(cluster, all)),
    says: ({ args }) =>
      `context "${args.context}": the source ranges of its load balancer (${listed(args.ranges)}) hold no address of ${args.nodes}`,
  },
];

export const NO_SERVICE = 'there is no Service clustermesh-apiserver yet';

function nodePortOf(cluster: ClusterSnapshot): number | undefined {
  const spec = serviceSpec(apiserverService(cluster));
  return spec?.type === 'NodePort' ? spec.ports?.[0]?.nodePort : undefined;
}

/** Why it is not known whether a client's nodes are let in, in one clause; undefined where it is. */
function whyUnjudged(client: ClusterSnapshot, server: ClusterSnapshot): string | undefined {
  if (client.nodes.length === 0) return `no nodes of ${client.context} are known`;
  return nodesKeptOut(client, server) ? undefined : `by which address ${client.context} dials it is not known`;
}

/** NAT may give nodes an address within on their way, which nothing here tells: so it is a warning. */
function shutOut(server: ClusterSnapshot, all: readonly ClusterSnapshot[]): Finding[] {
  const kept = othersMeant(server, all).flatMap((client) => {
    const nodes = nodesKeptOut(client, server) ?? [];
    return nodes.length > 0 ? [{ client, names: nodes.map(({ name }) => name) }] : [];
  });
  if (kept.length === 0) return [];
  const { context } = server;
  const ranges = rangesToLetIn(
    kept.map(({ client }) => client),
    server,
  );
  const flags = ['--load-balancer-source-ranges', ranges.join(',')];
  const nodes = kept.map(({ client, names }) => `${firstOf(names)} of ${client.context}`).join(', nor of ');
  const command = meshctlCommand('clustermesh enable', { context }, flags);
  const accept = meshctlCommand('clustermesh check', { context: all.map((one) => one.context) }, [
    '--suppress',
    'source-ranges',
  ]);
  const hint = `Let them in: ${command}; or where NAT gives them an address within: ${accept}`;
  const args = { context, ranges: sourceRanges(server), nodes };
  return [{ id: 'source-ranges', severity: 'warn', cluster: context, args, hint }];
}

/** With kube-proxy replacement a node takes a known node's address with a NodePort of its own for itself. */
function equalNodePorts({ clusters }: CheckInput): Finding[] {
  const exposed = clusters.flatMap((cluster) => {
    const port = nodePortOf(cluster);
    return port === undefined ? [] : [{ cluster, port }];
  });
  const taken = new Set(exposed.map(({ port }) => port));
  return [...groupBy(exposed, ({ port }) => port)]
    .filter(([, same]) => same.length > 1)
    .map(([port, same]) => ({
      id: 'node-port-unique',
      severity: same.some(({ cluster }) => replacesKubeProxy(cluster)) ? 'fail' : 'warn',
      args: { port, contexts: same.map(({ cluster }) => cluster.context) },
      hint:
        'With kube-proxy replacement such clusters dial themselves (cilium/cilium#24692). Give one another port: ' +
        same.slice(-1).map(({ cluster }) => nodePortCommand(cluster, taken)),
    }));
}

/** `true`, or before 1.14 also `strict`, `partial`, `probe`. */
function replacesKubeProxy({ ciliumConfig }: ClusterSnapshot): boolean {
  return !['false', 'disabled', undefined].includes(ciliumConfig?.['kube-proxy-replacement']);
}
