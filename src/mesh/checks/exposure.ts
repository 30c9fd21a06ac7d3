import { listEndpoints } from '../apiserver/endpoints.ts';
import { apiserverService } from '../apiserver/live.ts';
import { changeTypeCommand, lackOfService } from '../apiserver/service-lack.ts';
import { restoreTypeCommand } from '../apiserver/service-type-taken.ts';
import { replacesKubeProxy } from '../cilium/datapath.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { serviceFamilyLack } from '../connect/families-apart.ts';
import { firstOf } from '../counted.ts';
import { nodePortCommand } from '../enable/exposure/node-port.ts';
import { type KeptOut, keptOut, letInCommand, sourceRanges } from '../network/source-ranges.ts';
import { serviceSpec } from '../objects/service.ts';
import { groupBy } from '../pairs.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { areAllConnected, type StatusReport } from '../status/status.ts';
import { othersMeant } from './shared/ask-nodes.ts';
import { besideOthers, type Check, type CheckInput, type Finding, listed, whyAlone } from './shared/check.ts';
import { isMeant } from './shared/meant-pairs.ts';

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
    run: (input, all) =>
      input.clusters.flatMap((cluster): Finding[] => {
        const { context } = cluster;
        // A connect says it of the addresses that it would write, which its flags may name.
        const apart = input.areStanding ? familiesApart(cluster, all, input) : [];
        if (apart.length > 0) return apart;
        const service = apiserverService(cluster);
        const isOfNoType = lackOfService(cluster, service) !== undefined;
        if (!isOfNoType && serviceSpec(service).type !== 'ClusterIP') return [];
        const args = isOfNoType ? { foundBy: 'service-type', foundIn: context } : { context };
        const command = restoreTypeCommand(cluster) ?? changeTypeCommand(context, service, 'LoadBalancer');
        const hint = `Peers reach a ClusterIP only where the network routes it. Otherwise: ${command}`;
        return [{ id: 'service-reachable', severity: 'warn', cluster: context, args, hint }];
      }),
    says: ({ args }) =>
      args.apart === undefined
        ? `context "${args.context}": the clustermesh-apiserver's Service has the type ClusterIP`
        : `context "${args.from}": ${args.apart}`,
  },
  {
    id: 'source-ranges',
    category: 'addresses',
    title: 'the source ranges of load balancers let the nodes of other clusters in',
    subject: (cluster, input) => {
      if (serviceSpec(apiserverService(cluster)).type === undefined) return { things: [], otherwise: NO_SERVICE };
      const looks = looksAt(cluster, input.clusters, input);
      const unseen = [...new Set(looks.flatMap(({ unjudged }) => unjudged ?? []))];
      const getIn = looks.filter(({ isConnected }) => isConnected).map(({ client }) => client.context);
      return {
        things: looks.flatMap(({ client, unjudged }) => (unjudged === undefined ? [client.context] : [])),
        otherwise: unseen.join('; ') || whyAlone(input, 'there is no other cluster that it could keep out'),
        unseen,
        ...(getIn.length > 0 ? { sample: `${firstOf(getIn)} connected through it` } : {}),
      };
    },
    run: (input, all) => input.clusters.flatMap((cluster) => shutOut(cluster, all, input)),
    says: ({ args }) =>
      `context "${args.context}": the source ranges of its load balancer (${listed(args.ranges)}) hold no ${args.what} of ${args.nodes}`,
  },
];

/** The clusters that are to dial the Service of one, and have no address of any family of its addresses. */
function familiesApart(server: ClusterSnapshot, all: readonly ClusterSnapshot[], input: CheckInput): Finding[] {
  const { context } = server;
  const hosts = listEndpoints(server).map(({ host }) => host);
  return withoutNamesakes(server, all).flatMap((client): Finding[] => {
    const lack = isMeant(client, server, input) ? serviceFamilyLack(client, server, hosts) : undefined;
    // Who is connected has an address that does, whatever its cluster's settings tell.
    if (!lack || dialsWithSuccess(input.observed?.get(client.context)?.status, knownAs(server))) return [];
    const args = { context, from: client.context, apart: lack.says };
    return [{ id: 'service-reachable', severity: 'fail', cluster: context, args, hint: lack.hint }];
  });
}

export const NO_SERVICE = 'there is no Service clustermesh-apiserver yet';

function nodePortOf(cluster: ClusterSnapshot): number | undefined {
  const spec = serviceSpec(apiserverService(cluster));
  return spec?.type === 'NodePort' ? spec.ports?.[0]?.nodePort : undefined;
}

/** What the source ranges of a cluster do to another one that is to dial it. */
interface Look extends KeptOut {
  client: ClusterSnapshot;
  /** It gets in, whatever its nodes' addresses are: NAT may give them others on the way. */
  isConnected: boolean;
}

/**
 * Whether `source-ranges`, or `service-reachable`, hangs on who is connected, so that agents have to be asked, whichever checks are asked for.
 * @param clusters all clusters of the question
 */
export function hangsOnConnections(clusters: readonly ClusterSnapshot[]): boolean {
  return clusters.some((server) =>
    othersMeant(server, clusters).some(
      (client) => mayBeSeen(keptOut(client, server)) || serviceFamilyLack(client, server) !== undefined,
    ),
  );
}

/** Whether who is connected must have come in by the load balancer, which by the ranges alone is not said to let them in. */
function mayBeSeen({ isOnlyWay, nodes, unjudged }: KeptOut): boolean {
  return isOnlyWay && (nodes.length > 0 || unjudged !== undefined);
}

function looksAt(server: ClusterSnapshot, all: readonly ClusterSnapshot[], { observed }: CheckInput): Look[] {
  return othersMeant(server, all).map((client) => {
    const look = keptOut(client, server);
    const status = observed?.get(client.context)?.status;
    const isConnected = mayBeSeen(look) && dialsWithSuccess(status, knownAs(server));
    return isConnected
      ? { client, nodes: [], isOnlyWay: look.isOnlyWay, isConnected }
      : { ...look, client, isConnected };
  });
}

/** Whether all who dial a peer in a cluster were asked, and are connected: also anew, where they were asked to be. */
export function dialsWithSuccess(status: StatusReport | undefined, peer: string): boolean {
  if (!status || status.problems.some((problem) => [peer, undefined].includes(problem.peer))) return false;
  const { agents, kvstoremesh } = status.peers.find(({ name }) => name === peer) ?? {};
  return areAllConnected(status.kvstoremesh.enabled ? kvstoremesh : agents);
}

/** NAT may give nodes an address within on their way, which nothing here tells: so it is a warning. */
function shutOut(server: ClusterSnapshot, all: readonly ClusterSnapshot[], input: CheckInput): Finding[] {
  const kept = looksAt(server, all, input).filter(({ nodes }) => nodes.length > 0);
  if (kept.length === 0) return [];
  const { context } = server;
  const nodes = kept.map((look) => `${firstOf(look.nodes.map(({ name }) => name))} of ${look.client.context}`);
  const command = letInCommand(
    kept.map(({ client }) => client),
    server,
  );
  const accept = meshctlCommand('clustermesh check', { context: all.map((one) => one.context) }, [
    '--suppress',
    'source-ranges',
  ]);
  const hint = `Let them in: ${command}; or where NAT gives them an address within: ${accept}`;
  const args = {
    context,
    ranges: sourceRanges(server),
    what: kept[0]?.what ?? 'address',
    nodes: nodes.join(', nor of '),
  };
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
      severity: same.some(({ cluster }) => replacesKubeProxy(cluster.ciliumConfig ?? {})) ? 'fail' : 'warn',
      args: { port, contexts: same.map(({ cluster }) => cluster.context) },
      hint:
        'With kube-proxy replacement such clusters dial themselves (cilium/cilium#24692). Give one another port: ' +
        same.slice(-1).map(({ cluster }) => nodePortCommand(cluster, taken)),
    }));
}
