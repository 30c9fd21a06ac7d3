import { expect, it } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { requireUnchanged } from '../../src/mesh/connect/changed-members.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { readForConnecting } from '../../src/snapshot/read-for-connecting.ts';
import { apiserverDeployment, caFacts, serviceObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

/** What is never another one of the same cluster. */
const FIXED = ['context', 'server', 'namespace'];
const SERVICES: Readonly<Record<string, KubeObject>> = {
  LoadBalancer: serviceObject(
    { type: 'LoadBalancer', ports: [{ port: 2379 }] },
    { loadBalancer: { ingress: [{ ip: '10.0.0.9' }] } },
  ),
  NodePort: serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] }),
  'NodePort and Local': serviceObject({
    ...{ type: 'NodePort', externalTrafficPolicy: 'Local' },
    ports: [{ port: 2379, nodePort: 32379 }],
  }),
  ClusterIP: serviceObject({ type: 'ClusterIP', clusterIP: '10.96.0.9', ports: [{ port: 2379 }] }),
};

const USERS: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
  data: { 'users.yaml': 'users: []' },
};

/** A snapshot that writes down what of it is read: its fields, and of its objects which. */
function watched(snapshot: ClusterSnapshot, seen: Set<string>): ClusterSnapshot {
  const objects = new Proxy(snapshot.objects, {
    get(map, name) {
      if (name === 'get' || name === 'has') {
        return (key: string) => {
          seen.add(key);
          return map[name](key);
        };
      }
      const value: unknown = Reflect.get(map, name, map);
      return typeof value === 'function' ? value.bind(map) : value;
    },
  });
  return new Proxy(snapshot, {
    get(target, name) {
      if (name !== 'objects') seen.add(String(name));
      return name === 'objects' ? objects : Reflect.get(target, name);
    },
  });
}

/** The API server of a cluster with nothing in it but these, which writes down what it is asked for. */
function clientOf(objects: readonly KubeObject[]): ClusterClient {
  return {
    context: 'one',
    get: async ({ kind, name }: { kind: string; name: string }) =>
      objects.find((one) => one.kind === kind && one.metadata.name === name),
    listAll: async () => [],
    collect: async () => [],
  } as unknown as ClusterClient;
}

it.each(Object.entries(SERVICES))('what a connect to a %s is compared by is read once more', async (_type, service) => {
  const before = snapshotOf({
    live: [apiserverDeployment(), service, USERS],
    remoteUsers: [],
    ca: caFacts('ca'),
    tlsSecrets: new Map([
      ['clustermesh-apiserver-server-cert', tlsFacts('ca', {})],
      ['clustermesh-apiserver-remote-cert', tlsFacts('ca', {})],
    ]),
    apiserverPods: [{ name: 'pod', node: 'node-1', ready: true }],
  });
  const seen = new Set<string>();
  requireUnchanged([{ before: { snapshot: before }, now: watched(before, seen) }]);
  expect(seen.size).toBeGreaterThan(FIXED.length);
  // Of a cluster whose every object is another one by now, nothing may be as it was that was looked at.
  const fresh = [...before.objects.values()].map((object) => ({ ...object }));
  const now = await readForConnecting(clientOf(fresh), before);
  const kept = [...seen].filter((what) => {
    if (FIXED.includes(what)) return false;
    if (!what.includes('/')) return now[what as keyof ClusterSnapshot] === before[what as keyof ClusterSnapshot];
    return before.objects.has(what) && now.objects.get(what) === before.objects.get(what);
  });
  expect(kept).toEqual([]);
});
