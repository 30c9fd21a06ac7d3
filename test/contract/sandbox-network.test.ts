import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { createStore } from '../../src/sandbox/apiserver/storage/store.ts';
import { createVirtualNetwork, type VirtualNetwork } from '../../src/sandbox/pods/network.ts';

let network: VirtualNetwork;
let backend: Server;
let realPort: number;
const POD = '10.2.0.10';
let nodes: ReturnType<typeof createStore>;
/** Whether policies of cluster b let connections from outside in. */
let admitted = true;

beforeEach(async () => {
  network = createVirtualNetwork(20);
  backend = createServer((socket) => socket.on('error', () => undefined));
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  realPort = (backend.address() as { port: number }).port;
  network.attach({
    name: 'a',
    store: createStore(),
    loadBalancerAddresses: new Map(),
    admits: () => true,
    admitsOutside: () => true,
    findsWayTo: () => true,
  });
  const store = createStore();
  store.create({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: {},
    status: { addresses: [{ type: 'InternalIP', address: '172.18.2.11' }] },
  });
  const service: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', namespace: 'default' },
    spec: { type: 'LoadBalancer', clusterIP: '10.96.0.77', ports: [{ port: 2379, nodePort: 32379 }] },
    status: { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } },
  };
  store.create(service);
  store.create({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 's-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 's' } },
    addressType: 'IPv4',
    ports: [{ port: 2379, protocol: 'TCP' }],
    endpoints: [{ addresses: [POD], conditions: { ready: true, serving: true, terminating: false } }],
  });
  network.attach({
    name: 'b',
    store,
    loadBalancerAddresses: new Map([['default/s', ['172.18.2.100']]]),
    admits: () => true,
    admitsOutside: () => admitted,
    findsWayTo: () => true,
  });
  nodes = store;
  admitted = true;
});

afterEach(() => {
  network.close();
  backend.close();
});

async function reaches(from: string, host: string, port: number): Promise<void> {
  const socket = await network.dial({ cluster: from }, host, port);
  expect(socket.remotePort).toBe(realPort);
  socket.destroy();
}

describe('with a ready pod that listens', () => {
  beforeEach(() => void network.listen('b', POD, 2379, realPort));

  it.each([
    ['a', '172.18.2.100', 2379],
    ['a', 'lb.example', 2379],
    ['a', '172.18.2.11', 32379],
    ['b', 's.default.svc', 2379],
    ['b', 's.default.svc.cluster.local', 2379],
    ['b', '10.96.0.77', 2379],
    ['b', POD, 2379],
  ])('cluster %s reaches %s:%i', reaches);

  it('cluster IPs, pods and service names mean nothing to the other cluster', async () => {
    await expect(network.dial({ cluster: 'a' }, '10.96.0.77', 2379)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    await expect(network.dial({ cluster: 'a' }, POD, 2379)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    await expect(network.dial({ cluster: 'a' }, 's.default.svc', 2379)).rejects.toMatchObject({
      code: 'ENOTFOUND',
      message: 'lookup s.default.svc on 10.96.0.10:53: no such host',
    });
  });

  it('refuses other ports', async () => {
    await expect(network.dial({ cluster: 'a' }, '172.18.2.100', 80)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(network.dial({ cluster: 'a' }, '172.18.2.11', 30000)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it.each([
    [['172.18.1.0/24'], '172.18.1.11', undefined],
    [['203.0.113.0/24', '172.18.1.11/32'], '172.18.1.11', undefined],
    [['203.0.113.0/24'], '172.18.1.11', { code: 'ETIMEDOUT' }],
    [['fd00::/8'], '172.18.1.11', { code: 'ETIMEDOUT' }],
  ])('a load balancer with source ranges %j and a node %s: %o', async (ranges, node, refusal) => {
    nodes.update({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 's' }, ({ spec }) => {
      (spec as { loadBalancerSourceRanges: string[] }).loadBalancerSourceRanges = ranges;
    });
    const dial = (host: string, port: number) =>
      network.dial({ cluster: 'a', nodeAddresses: [node] }, host, port).then((socket) => socket.destroy());
    if (refusal) await expect(dial('172.18.2.100', 2379)).rejects.toMatchObject(refusal);
    else await dial('172.18.2.100', 2379);
    // Node ports are open, and so is the address to the cluster's own nodes.
    await dial('172.18.2.11', 32379);
    await reaches('b', '172.18.2.100', 2379);
  });

  it('a cut link breaks connections and swallows new ones, until it is mended', async () => {
    const socket = await network.dial({ cluster: 'a' }, '172.18.2.100', 2379);
    const closed = once(socket, 'close');
    network.cutLink('b', 'a');
    await closed;
    await expect(network.dial({ cluster: 'a' }, '172.18.2.100', 2379)).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      message: 'dial tcp 172.18.2.100:2379: i/o timeout',
    });
    await reaches('b', 's.default.svc', 2379);
    network.mendLink('a', 'b');
    await reaches('a', '172.18.2.100', 2379);
  });

  it('resolves names that a test adds', async () => {
    network.addHost('mesh.example', '172.18.2.100');
    await reaches('a', 'mesh.example', 2379);
  });
});

it('refuses where the pod does not listen', async () => {
  await expect(network.dial({ cluster: 'a' }, '172.18.2.100', 2379)).rejects.toMatchObject({
    code: 'ECONNREFUSED',
    message: 'dial tcp 172.18.2.100:2379: connect: connection refused',
  });
});

describe('what a cluster keeps out', () => {
  const service = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 's' };
  const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace: 'default', name: 's-1' };
  const dialNode = async () => {
    const socket = await network.dial({ cluster: 'a' }, '172.18.2.11', 32379);
    socket.destroy();
    return 'connected';
  };

  it('is dropped by policies, but from its own nodes', async () => {
    network.listen('b', POD, 2379, realPort);
    expect(await dialNode()).toBe('connected');
    admitted = false;
    await expect(dialNode()).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    (await network.dial({ cluster: 'b' }, '172.18.2.11', 32379)).destroy();
  });

  it('is dropped by a node without a pod, with externalTrafficPolicy Local', async () => {
    network.listen('b', POD, 2379, realPort);
    nodes.update(service, ({ spec }) => {
      (spec as { externalTrafficPolicy?: string }).externalTrafficPolicy = 'Local';
    });
    await expect(dialNode()).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    nodes.update(slice, (object) => {
      for (const endpoint of object.endpoints as { nodeName?: string }[]) endpoint.nodeName = 'n1';
    });
    expect(await dialNode()).toBe('connected');
  });
});
