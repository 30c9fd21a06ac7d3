import { isRolledOut } from '../apiserver-deployment.ts';
import { overlap, parseCidr } from '../cidr.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { isIpAddress, loadBalancerHosts, serviceEndpoints } from '../endpoints.ts';
import { keyOf } from '../kube-object.ts';
import { APISERVER_SELECTOR, apiserverDeploymentRef, apiserverServiceRef } from '../names.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import { listed } from './check.ts';
import { findingOf, type MeshCheck } from './mesh-input.ts';

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

const deploymentOf = ({ objects, namespace }: ClusterSnapshot) => objects.get(keyOf(apiserverDeploymentRef(namespace)));

/** Whether the clustermesh-apiserver is there, works and is exposed as it should be. */
export const APISERVER_CHECKS: readonly MeshCheck[] = [
  {
    id: 'apiserver-deployed',
    category: 'apiserver',
    title: 'the clustermesh-apiserver is deployed',
    run: ({ clusters }) =>
      clusters
        .filter((cluster) => !deploymentOf(cluster))
        .map(({ context }) =>
          findingOf('apiserver-deployed', 'fail', context, {}, meshctlCommand('clustermesh enable', { context })),
        ),
    says: ({ args }) => `context "${args.context}": there is no Deployment clustermesh-apiserver`,
  },
  {
    id: 'apiserver-ready',
    category: 'apiserver',
    title: 'all replicas of the clustermesh-apiserver are ready',
    needs: ['apiserver-deployed'],
    run: ({ clusters }) =>
      clusters.flatMap((cluster) => {
        const { context, namespace } = cluster;
        const deployment = deploymentOf(cluster);
        if (!deployment || isRolledOut(deployment)) return [];
        const hint = kubectlCommand({ context, namespace }, ['describe', 'pods', '-l', APISERVER_SELECTOR]);
        return [findingOf('apiserver-ready', 'fail', context, {}, hint)];
      }),
    says: ({ args }) =>
      `context "${args.context}": the Deployment clustermesh-apiserver is not fully rolled out and ready`,
  },
  {
    id: 'apiserver-address',
    category: 'apiserver',
    title: 'the clustermesh-apiserver has an address',
    needs: ['apiserver-deployed'],
    run: ({ clusters }) =>
      clusters
        .filter((cluster) => !serviceEndpoints(cluster))
        .map(({ context, namespace }) =>
          findingOf(
            'apiserver-address',
            'fail',
            context,
            {},
            kubectlCommand({ context, namespace }, ['describe', 'service', 'clustermesh-apiserver']),
          ),
        ),
    says: ({ args }) =>
      `context "${args.context}": the Service clustermesh-apiserver has no address that peers could dial`,
  },
  {
    id: 'apiserver-private',
    category: 'apiserver',
    title: 'the clustermesh-apiserver is not exposed to the internet',
    run: ({ clusters }) =>
      clusters.flatMap(({ context, namespace, objects }) => {
        const service = objects.get(keyOf(apiserverServiceRef(namespace)));
        if ((service?.spec as { type?: string } | undefined)?.type !== 'LoadBalancer' || !service) return [];
        const addresses = loadBalancerHosts(service).filter((host) => isIpAddress(host) && !isPrivate(host));
        if (addresses.length === 0) return [];
        return [
          findingOf(
            'apiserver-private',
            'warn',
            context,
            { addresses },
            `etcd asks every client for a certificate, but need not be public: ${meshctlCommand('clustermesh enable', { context }, ['--service-annotation', '<annotation for internal load balancers>'])}`,
          ),
        ];
      }),
    says: ({ args }) => `context "${args.context}": the load balancer has public addresses (${listed(args.addresses)})`,
  },
  {
    id: 'apiserver-etcd',
    category: 'apiserver',
    title: 'etcd and its companions run without restarts',
    needs: ['apiserver-deployed'],
    run: ({ clusters, observed }) =>
      clusters.flatMap(({ context, namespace }) =>
        (observed.get(context)?.containers ?? [])
          .filter(({ ready, restarts }) => !ready || restarts > TOLERATED_RESTARTS)
          .map(({ pod, container, ready, restarts }) =>
            findingOf(
              'apiserver-etcd',
              ready ? 'warn' : 'fail',
              context,
              { pod, container, restarts, ready },
              kubectlCommand({ context, namespace }, ['logs', pod, '-c', container, '--previous']),
            ),
          ),
      ),
    says: ({ args }) =>
      `context "${args.context}": container ${args.container} of ${args.pod} ${args.ready ? `has restarted ${args.restarts} times` : 'is not ready'}`,
  },
];

function isPrivate(host: string): boolean {
  const address = parseCidr(host);
  return address !== undefined && PRIVATE_RANGES.some((range) => overlap(range, address));
}
