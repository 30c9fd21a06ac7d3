import { expect, test } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import { rememberReads } from '../../src/snapshot/remember-reads.ts';

const config = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' };
const pods = { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' };

test('each object and each list is asked for once, also at the same time; another one, or one with a signal, anew', async () => {
  const asked: string[] = [];
  const note = (what: string) => {
    asked.push(what);
    return Promise.resolve([]);
  };
  const client = rememberReads({
    get: (ref: typeof config) => note(`get ${ref.name}`),
    listAll: (selection: { labelSelector?: string }) => note(`list ${selection.labelSelector ?? 'all'}`),
    version: () => note('version'),
    apiGroups: () => note('groups'),
  } as unknown as ClusterClient);
  const read = () =>
    Promise.all([
      ...[client.get(config), client.get({ ...config }), client.get({ ...config, name: 'other' })],
      ...[client.listAll(pods), client.listAll({ ...pods, labelSelector: 'a=b' }), client.listAll(pods)],
      ...[client.version(), client.apiGroups(), client.version()],
    ]);
  await read();
  await read();
  expect(asked).toEqual(['get cilium-config', 'get other', 'list all', 'list a=b', 'version', 'groups']);
  await client.get(config, { signal: new AbortController().signal });
  expect(asked.slice(6)).toEqual(['get cilium-config']);
});

test('what has been read just before is not read again', async () => {
  const asked: string[] = [];
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'kube-system', name: 'cilium-config' } };
  const get = async ({ name }: typeof config) => void asked.push(name);
  const client = rememberReads({ get } as unknown as ClusterClient, [object]);
  expect(await client.get(config)).toBe(object);
  await client.get({ ...config, namespace: 'cilium' });
  expect(asked).toEqual(['cilium-config']);
});

test('what is kept of a list is read once for who keeps the same', async () => {
  const asked: string[] = [];
  const client = rememberReads({
    collect: (selection: { kind: string }, keep: (object: unknown) => unknown[]) => {
      asked.push(selection.kind);
      return Promise.resolve(keep('one'));
    },
  } as unknown as ClusterClient);
  const nodes = { apiVersion: 'v1', kind: 'Node' };
  const all = (object: unknown) => [object];
  const none = () => [];
  const read = () => Promise.all([client.collect(nodes, all), client.collect(nodes, all), client.collect(nodes, none)]);
  expect(await read()).toEqual([['one'], ['one'], []]);
  await read();
  await client.collect({ ...nodes, kind: 'Service' }, all);
  expect(asked).toEqual(['Node', 'Node', 'Service']);
  await client.collect(nodes, all, { signal: new AbortController().signal });
  expect(asked).toHaveLength(4);
});
