import { isRolledOut, replicasOf, scaleUpCommand } from '../apiserver/deployment.ts';
import { addressLack, isIpAddress, reachableEndpoints, serviceEndpoints } from '../apiserver/endpoints.ts';
import { apiserverDeployment, apiserverService } from '../apiserver/live.ts';
import { type MisfitId, misfitsOf } from '../apiserver/misfits.ts';
import { afterDeletion, refusalOfPods, stallOf } from '../apiserver/stall.ts';
import { enableAdvice } from '../certificates/authority.ts';
import { overlap, parseCidr } from '../cilium/cidr.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeCommand, kubectlCommand, meshctlCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import { platformEvidence, providerSchemes } from '../enable/exposure/platforms.ts';
import { enableObstacles } from '../faults/serve-faults.ts';
import { annotationOfRanges } from '../network/allow-lists.ts';
import { APISERVER, APISERVER_SELECTOR, ETCD_PORT } from '../objects/names.ts';
import { forceWords } from '../objects/ownership.ts';
import { ingressOf, serviceSpec } from '../objects/service.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { configuredPeers, knownPeers } from '../peers/peers.ts';
import { isGoing, saysGoing } from '../plan/going.ts';
import { type Finding, type Subject, theCluster } from './shared/check.ts';
import { findingOf, type MeshCheck } from './shared/mesh-input.ts';

/** More restarts of etcd than this are not chance. */
const TOLERATED_RESTARTS = 3;

/** Ranges that the internet does not route: RFC 1918, 6598, 3927, 4193, loopback. */
const PRIVATE_RANGES = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '127.0.0.0/8',
  'fc00::/7',
  'fe80::/10',
].flatMap((text) => parseCidr(text) ?? []);

/** Whether the clustermesh-apiserver is there, works and is exposed as it should be. */
export const APISERVER_CHECKS: readonly MeshCheck[] = [
  {
    id: 'apiserver-deployed',
    category: 'apiserver',
    title: 'the clustermesh-apiserver is deployed',
    subject: theCluster,
    run: ({ clusters, now, observed }, all) =>
      clusters
        .filter((cluster) => !apiserverDeployment(cluster))
        .flatMap((cluster) => {
          const obstacles = enableObstacles(cluster, now, withoutNamesakes(cluster, all));
          const args = obstacles.unfinished ? { reason: obstacles.unfinished.says } : {};
          const hint = enableAdvice({ ...cluster, ...obstacles }, knownPeers(cluster));
          const left = observed.get(cluster.context)?.left;
          return [
            findingOf('apiserver-deployed', 'fail', cluster.context, args, hint),
            ...(left ? [findingOf('apiserver-deployed', 'warn', cluster.context, { left: left.says }, left.hint)] : []),
          ];
        }),
    says: ({ args: { context, reason, left } }) =>
      left !== undefined
        ? `context "${context}": ${left}`
        : `context "${context}": there is no Deployment clustermesh-apiserver${reason === undefined ? '' : `; ${reason}`}`,
  },
  {
    id: 'apiserver-ready',
    category: 'apiserver',
    title: 'all replicas of the clustermesh-apiserver are ready',
    needs: ['apiserver-deployed'],
    subject: (cluster) => ({
      things: apiserverDeployment(cluster) ? ['clustermesh-apiserver'] : [],
      otherwise: 'there is no Deployment clustermesh-apiserver',
    }),
    run: ({ clusters }) => clusters.flatMap(unready),
    says: ({ args }) =>
      `context "${args.context}": the Deployment clustermesh-apiserver ${args.replicas === 0 ? 'is scaled to 0 replicas, so it serves no peer' : 'is not fully rolled out and ready'}${args.stall ? `: ${args.stall}` : ''}`,
  },
  {
    id: 'apiserver-address',
    category: 'apiserver',
    title: 'the clustermesh-apiserver has an address',
    needs: ['apiserver-deployed'],
    subject: theCluster,
    run: ({ clusters }, all) =>
      clusters
        .filter((cluster) => !serviceEndpoints(cluster) || isGoing(apiserverService(cluster)))
        .map((cluster) => {
          const service = apiserverService(cluster);
          const { says, hint } =
            service && isGoing(service)
              ? { says: `the ${saysGoing(service)}`, hint: afterDeletion(cluster, `service/${APISERVER}`) }
              : addressLack(cluster);
          const isOfType = misfitsOf(service, apiserverDeployment(cluster)).some(({ id }) => id === SERVICE_TYPE);
          const args = isOfType
            ? { foundBy: SERVICE_TYPE, foundIn: cluster.context }
            : { there: service !== undefined, reason: says };
          const severity =
            service && !isGoing(service) && !isOfType && isDialledAsChosen(cluster, all) ? 'warn' : 'fail';
          return findingOf('apiserver-address', severity, cluster.context, args, hint);
        }),
    says: ({ args }) => `context "${args.context}": ${args.reason}`,
  },
  {
    id: 'apiserver-private',
    category: 'apiserver',
    title: 'the clustermesh-apiserver is not exposed to the internet',
    subject: exposedAddresses,
    run: ({ clusters }) =>
      clusters.flatMap((cluster) => {
        const { context } = cluster;
        const addresses = exposedAddresses(cluster).things.filter((host) => !isPrivate(host));
        if (addresses.length === 0) return [];
        const type = typeOf(cluster);
        const hint =
          type === 'LoadBalancer'
            ? `etcd asks every client for a certificate, but need not be public: ${madePrivate(cluster)}`
            : 'etcd asks every client for a certificate, but need not be public: let only the other clusters through the firewall.';
        return [findingOf('apiserver-private', 'warn', context, { addresses, type }, hint)];
      }),
    says: ({ args }) =>
      `context "${args.context}": the ${args.type === 'LoadBalancer' ? 'load balancer has' : 'nodes that serve its NodePort have'} public addresses (${firstOf(args.addresses as readonly string[])})`,
  },
  {
    id: 'apiserver-etcd',
    category: 'apiserver',
    title: 'etcd and its companions run without restarts',
    observes: true,
    needs: ['apiserver-deployed'],
    subject: ({ context }, { observed }) => ({
      things: (observed.get(context)?.containers ?? []).map(({ pod, container }) => `${pod}/${container}`),
      otherwise: 'no pod of the clustermesh-apiserver has started a container',
    }),
    run: ({ clusters, observed }) =>
      clusters.flatMap((cluster) => {
        const { context, namespace } = cluster;
        const containers = observed.get(context)?.containers ?? [];
        const cause = causeOfUnreadiness(cluster);
        // What has never run has no log; its pod says why, once for all of its containers.
        const waiting = new Map(
          containers.flatMap(({ pod, waitsFor }) => (waitsFor === undefined ? [] : [[pod, waitsFor]])),
        );
        const unstarted = [...waiting].map(([name, waitsFor]) => {
          const hint = describeCommand({ context, namespace }, 'pod', { name });
          return findingOf('apiserver-etcd', 'fail', context, { pod: name, waitsFor, ...cause }, hint);
        });
        const judged = containers.filter(({ waitsFor }) => waitsFor === undefined);
        const failing = judged
          .filter(({ ready, restarts }) => !ready || restarts > TOLERATED_RESTARTS)
          .map(({ pod, container, ready, restarts }) =>
            findingOf(
              'apiserver-etcd',
              ready ? 'warn' : 'fail',
              context,
              { pod, container, restarts, ready, ...(ready ? {} : cause) },
              kubectlCommand({ context, namespace }, [
                'logs',
                pod,
                '-c',
                container,
                ...(restarts > 0 ? ['--previous'] : []),
              ]),
            ),
          );
        return [...unstarted, ...failing];
      }),
    says: ({ args }) =>
      args.waitsFor !== undefined
        ? `context "${args.context}": ${args.waitsFor || `pod ${args.pod}: its containers have not started yet`}`
        : `context "${args.context}": container ${args.container} of ${args.pod} ${args.ready ? `has restarted ${args.restarts} times` : 'is not ready'}`,
  },
];

/** Of a Deployment that wants no replicas, none can be unready: nobody is served all the same. */
function unready(cluster: ClusterSnapshot): Finding[] {
  const { context, namespace } = cluster;
  const deployment = apiserverDeployment(cluster);
  const replicas = replicasOf(deployment);
  const place = { context, namespace };
  const stall = stallOf(place, deployment) ?? refusalOfPods(place, deployment);
  const isStaying = deployment?.metadata.deletionTimestamp === undefined;
  if (!deployment || (replicas !== 0 && isStaying && isRolledOut(deployment))) return [];
  const hint =
    replicas === 0
      ? scaleUpCommand(place, deployment)
      : (stall?.hint ?? describeCommand(place, 'pods', { selector: APISERVER_SELECTOR }));
  const args = replicas === 0 ? { replicas } : stall ? { stall: stall.says } : causeOfUnreadiness(cluster);
  return [findingOf('apiserver-ready', 'fail', context, args, hint)];
}

/** Pods that lack one of their programs are not ready for that: another check says so. */
function causeOfUnreadiness(cluster: ClusterSnapshot): Finding['args'] {
  const isLacking = misfitsOf(undefined, apiserverDeployment(cluster)).some(({ id }) => id === CONTAINER_MISSING);
  return isLacking ? { foundBy: CONTAINER_MISSING, foundIn: cluster.context } : {};
}

const CONTAINER_MISSING: MisfitId = 'container-missing';
const SERVICE_TYPE: MisfitId = 'service-type';

function typeOf(cluster: ClusterSnapshot): string {
  return serviceSpec(apiserverService(cluster)).type ?? '';
}

/** The addresses at which it can be dialled from outside, as far as they say whether the internet leads there. */
function exposedAddresses(cluster: ClusterSnapshot): Subject {
  const type = typeOf(cluster);
  if (type === '') return { things: [], otherwise: 'there is no Service clustermesh-apiserver' };
  if (type === 'ClusterIP') return { things: [], otherwise: 'its Service has an address inside the cluster only' };
  // A load balancer may have names beside the addresses that peers dial, and more nodes serve a NodePort than they do.
  const hosts =
    type === 'LoadBalancer'
      ? ingressOf(apiserverService(cluster)).flatMap(({ ip, hostname }) => [ip ?? [], hostname ?? []].flat())
      : (reachableEndpoints(cluster) ?? []).map(({ host }) => host);
  const names = hosts.filter((host) => !isIpAddress(host));
  const unseen = names.length === 0 ? [] : [`what is behind ${names.join(', ')} cannot be seen here`];
  return { things: hosts.filter(isIpAddress), otherwise: unseen[0] ?? 'its Service has no address yet', unseen };
}

function isPrivate(host: string): boolean {
  const address = parseCidr(host);
  return address !== undefined && PRIVATE_RANGES.some((range) => overlap(range, address));
}

/** How a load balancer becomes internal; where the platform is not known, or has no annotation for it, in words alone. */
function madePrivate(cluster: ClusterSnapshot): string {
  const { schemes = [], privateAnnotations = {} } = platformEvidence(cluster)[0]?.platform ?? {};
  const service = apiserverService(cluster);
  const annotated = (annotations: readonly (readonly [name: string, value: string])[]) => {
    const flags = annotations.flatMap(([name, value]) => ['--service-annotation', `${name}=${value}`]);
    const fields = annotations.map(([name]) => `metadata.annotations.${name}`);
    return meshctlCommand('clustermesh enable', { context: cluster.context }, [
      ...flags,
      ...forceWords(service, fields),
    ]);
  };
  const internal = Object.entries(privateAnnotations);
  if (internal.length > 0) return annotated(internal);
  const byAlone = annotationOfRanges(
    [...schemes, ...providerSchemes(cluster)],
    serviceSpec(service).ports?.[0]?.port ?? ETCD_PORT,
  );
  return byAlone
    ? `let only the other clusters in, by the annotation that alone its load balancer goes by: ${annotated([[byAlone.name, byAlone.value]])}`
    : 'give its Service what makes load balancers internal at your provider (enable --service-annotation), or let only the other clusters in (--load-balancer-source-ranges).';
}

/** Whether everybody who is known to dial a cluster does so at an address that was chosen, as behind NAT: nobody goes by its Service's. */
function isDialledAsChosen(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]): boolean {
  const own = knownAs(cluster);
  const others = withoutNamesakes(cluster, all);
  const isRead = (peer: string) => others.some((other) => knownAs(other) === peer);
  const diallers = others.filter((other) => configuredPeers(other).includes(own));
  return (
    diallers.length > 0 &&
    knownPeers(cluster).every(isRead) &&
    diallers.every((other) => choicesFor(other, own).endpoints !== undefined)
  );
}
