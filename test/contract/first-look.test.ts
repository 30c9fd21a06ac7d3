import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FirstLook, isSameCluster, lookAtCluster, sameButForLogin } from '../../src/flows/targets/first-look.ts';
import { parseCiliumNamespaces } from '../../src/mesh/cilium/namespaces.ts';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type KubeSandbox, startKubeSandbox } from '../support/kube-sandbox.ts';

/** Cilium's namespace in one cluster, by what is there and by what was given. */
const FORBIDDEN = (what: string) =>
  new ApiError(403, 'Forbidden', `${what} is forbidden: User "ann" cannot get resource "${what}" in API group ""`);

let cluster: KubeSandbox;
let asked: string[] = [];
let forbidden: (path: string) => boolean = () => false;

beforeAll(async () => {
  cluster = await startKubeSandbox({
    intercept: async ({ path }) => {
      asked.push(path);
      if (forbidden(path)) throw FORBIDDEN(path);
      return undefined;
    },
  });
});

beforeEach(() => {
  asked = [];
  forbidden = () => false;
  for (const namespace of ['kube-system', 'cilium', 'second']) uninstall(namespace);
});

afterAll(() => cluster.close());

const configIn = (namespace: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'cilium-config' });
const agentIn = (namespace: string) => ({ apiVersion: 'apps/v1', kind: 'DaemonSet', namespace, name: 'cilium' });
const namespaceOf = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', name });

function uninstall(namespace: string): void {
  for (const ref of [configIn(namespace), agentIn(namespace)]) if (cluster.store.get(ref)) cluster.store.delete(ref);
}

function install(namespace: string, name = 'mesh-1'): void {
  const { store } = cluster;
  if (!store.get(namespaceOf(namespace)))
    store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  store.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cilium-config', namespace },
    data: { 'cluster-name': name, 'cluster-id': '1' },
  });
  const labels = { 'k8s-app': 'cilium' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'cilium-agent', image: 'cilium' }] } };
  store.create({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'cilium', namespace, labels },
    spec: { selector: { matchLabels: labels }, template },
  });
}

const look = async (given?: string, alone = false) => {
  const namespaces = given === undefined ? { of: new Map<string, string>() } : parseCiliumNamespaces(given);
  const { namespace, cluster: name } = await lookAtCluster(cluster.client, namespaces, alone);
  return { namespace, name };
};

describe('Cilium’s namespace', () => {
  it('is kube-system where it is there, for two requests at once', async () => {
    install('kube-system');
    install('cilium');
    expect(await look()).toEqual({ namespace: 'kube-system', name: 'mesh-1' });
    expect(asked.sort()).toEqual([
      '/api/v1/namespaces/kube-system',
      '/api/v1/namespaces/kube-system/configmaps/cilium-config',
    ]);
  });

  it('is only looked into where it was given and there is no other cluster', async () => {
    install('cilium');
    expect(await look('cilium', true)).toEqual({ namespace: 'cilium', name: 'mesh-1' });
    expect(asked).toEqual(['/api/v1/namespaces/cilium/configmaps/cilium-config']);
  });

  it.each([
    ['nope', true],
    ['nope', false],
    ['kube-context=nope', true],
    ['mesh-1=nope', false],
  ])('that was given as %s and is another one is told with where it is (alone: %s)', async (given, alone) => {
    install('cilium');
    const text = given.replace('kube-context', cluster.client.context);
    const found = await lookAtCluster(cluster.client, parseCiliumNamespaces(text), alone);
    expect({ namespace: found.namespace, elsewhere: found.elsewhere }).toEqual({
      namespace: 'nope',
      elsewhere: ['cilium'],
    });
  });

  it('is that of the agents elsewhere', async () => {
    install('cilium');
    expect(await look()).toEqual({ namespace: 'cilium', name: 'mesh-1' });
    forbidden = (path) => path.includes('/kube-system');
    expect(await look()).toEqual({ namespace: 'cilium', name: 'mesh-1' });
  });

  it('is to be given where there are several', async () => {
    install('cilium', 'mesh-1');
    install('second', 'mesh-2');
    await expect(look()).rejects.toMatchObject({ code: 'Usage', message: expect.stringContaining('cilium, second') });
    expect(await look('second')).toEqual({ namespace: 'second', name: 'mesh-2' });
    expect(await look('mesh-2=second')).toEqual({ namespace: 'second', name: 'mesh-2' });
    expect(await look(`${cluster.client.context}=cilium,second`)).toEqual({ namespace: 'cilium', name: 'mesh-1' });
  });

  it('is kube-system where nothing is found, or may be', async () => {
    expect(await look()).toEqual({ namespace: 'kube-system', name: undefined });
    forbidden = (path) => path.includes('daemonsets');
    expect(await look()).toEqual({ namespace: 'kube-system', name: undefined });
    // Then it may as well be elsewhere.
    for (const given of [{ of: new Map() }, parseCiliumNamespaces('nope')]) {
      expect(await lookAtCluster(cluster.client, given)).toMatchObject({ unseen: { code: 'Forbidden' } });
    }
    forbidden = () => true;
    await expect(look()).rejects.toMatchObject({ code: 'Forbidden' });
  });
});

it.each([
  ['cilium', {}, 'cilium'],
  ['a=b', { a: 'b' }, undefined],
  [
    'arn:aws:eks:eu-west-1:1:cluster/a=b=cilium, kube-system',
    { 'arn:aws:eks:eu-west-1:1:cluster/a=b': 'cilium' },
    'kube-system',
  ],
])('reads %s', (text, of, others) => {
  const read = parseCiliumNamespaces(text);
  expect({ of: Object.fromEntries(read.of), others: read.others }).toEqual({ of, others });
});

it.each(['', 'a,b', 'c=a,c=b', '=cilium', 'a=', 'a,', 'A', 'a/b', '..'])('refuses "%s"', (text) => {
  expect(() => parseCiliumNamespaces(text)).toThrow(expect.objectContaining({ code: 'Usage' }));
});

describe('whether two contexts lead to one cluster', () => {
  const look = (server: string, uid?: string, configUid?: string, namespace = 'kube-system', cluster?: string) =>
    ({
      client: { server },
      namespace,
      uid,
      cluster,
      config: configUid && { metadata: { uid: configUid } },
    }) as FirstLook;

  it.each([
    ['the same namespace kube-system, by another address', look('a', 'u1', 'c1'), look('b', 'u1', 'c1'), true],
    ['another one, behind the same proxy', look('a', 'u1', 'c1'), look('a', 'u2', 'c2'), false],
    ['one may not read that, by another address', look('a', 'u1', 'c1'), look('b', undefined, 'c1'), true],
    ['one may not read that, behind the same proxy', look('a', undefined, 'c1'), look('a', 'u2', 'c2'), false],
    ['neither may', look('a', undefined, 'c1'), look('a', undefined, 'c1'), true],
    ['one may not read that, without Cilium', look('a', 'u1'), look('a'), true],
    ['one may not read that, without Cilium, elsewhere', look('a', 'u1'), look('b'), false],
    ['Cilium was looked for in two namespaces', look('a', 'u1', 'c1'), look('a', undefined, 'c2', 'cilium'), true],
    [
      'Cilium was found in two namespaces by two names, behind the same proxy',
      look('a', 'u1', 'c1', 'kube-system', 'mesh-1'),
      look('a', undefined, 'c2', 'cilium', 'mesh-2'),
      false,
    ],
  ])('%s', (_name, one, other, same) => {
    expect(isSameCluster(one, other)).toBe(same);
    expect(isSameCluster(other, one)).toBe(same);
  });

  const [first, second] = [look('a', 'u1', 'c1'), look('a', 'u2', 'c2')];
  it.each<[string, ErrorCode, FirstLook[], FirstLook | undefined]>([
    ['an expired login to its server', 'Unauthenticated', [first, look('b', 'u3')], first],
    ['an alias of it was seen too', 'Forbidden', [first, look('a', 'u1', 'c1')], first],
    ['no cluster there', 'Unauthenticated', [look('b', 'u3')], undefined],
    ['a server that answers for others: what is behind it is down', 'ApiFailure', [first], undefined],
    ['several clusters at that address', 'Unauthenticated', [first, second], undefined],
  ])('of a context that cannot be asked: %s', (_name, code, answered, same) => {
    expect(sameButForLogin({ server: 'a', error: new MeshctlError(code, 'no') }, answered)).toBe(same);
  });
});
