import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadKubeconfig } from '../../src/kube/access/kubeconfig.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { openCluster } from '../../src/kube/open-cluster.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { InterceptedRequest } from '../../src/sandbox/options.ts';
import { briskClock } from '../support/brisk-clock.ts';
import { forgetInProcess, serveInProcess } from '../support/in-process-api.ts';
import { found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** What becomes of the next requests that are made. */
let fault: ((request: InterceptedRequest) => 'drop' | 'drop-answer' | undefined) | undefined;
let sandbox: TestSandbox;
let client: ClusterClient;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, intercept: async (_context, request) => fault?.(request) });
  const kubeconfig = await loadKubeconfig({ path: sandbox.kubeconfigPath, env: {}, cwd: '/' });
  client = openCluster(kubeconfig, {
    requestTimeoutMs: 60_000,
    userAgent: 'test',
    signal: new AbortController().signal,
    clock: briskClock(),
  });
});
afterAll(async () => {
  client.close();
  await sandbox.close();
});

const NAMESPACE = 'kube-system';
const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: NAMESPACE },
  data,
});
const agent = async () => {
  const [pod] = await client.listAll({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: NAMESPACE,
    labelSelector: 'k8s-app=cilium',
  });
  return { namespace: NAMESPACE, pod: found(pod, 'an agent').metadata.name };
};
const run = async (...command: string[]) =>
  client.exec({ ...(await agent()), container: 'cilium-agent', command, timeoutMs: 60_000 });

/** Requests of every kind, each from the same state to the same state. */
const REQUESTS: Record<string, () => Promise<unknown>> = {
  'an object': () => client.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: NAMESPACE, name: 'cilium-config' }),
  'an object that is not there': () => client.get({ apiVersion: 'v1', kind: 'Secret', namespace: 'x', name: 'nobody' }),
  'a list': () => client.listAll({ apiVersion: 'apps/v1', kind: 'DaemonSet' }),
  'a list in pages': () => client.listAll({ apiVersion: 'v1', kind: 'ConfigMap', pageSize: 1 }),
  'the version': () => client.version(),
  'a write that is refused': () => client.create(configMap('Not A Name', {})),
  'a write that is there already': () => client.create(configMap('cilium-config', {})),
  'a write that is not stored': async () => {
    const { data } = await client.apply(configMap('new', { a: 'b' }), { dryRun: true });
    return data;
  },
  'what was written, and gone': async () => {
    const { data } = await client.create(configMap('short-lived', { key: 'ü'.repeat(10_000) }));
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: NAMESPACE, name: 'short-lived' };
    const patched = await client.patch(ref, { data: { more: 'x' } });
    return [data, patched.data, await client.delete(ref), await client.delete(ref)];
  },
  'a watch': async () => {
    const selection = { apiVersion: 'v1', kind: 'ConfigMap', namespace: NAMESPACE };
    let version = '';
    for await (const page of client.listPages(selection)) version = page.resourceVersion;
    await client.create(configMap('watched', { a: 'b' }));
    await client.delete({ ...selection, name: 'watched' });
    const seen: string[] = [];
    for await (const { type, object } of client.watch(selection, version)) {
      seen.push(`${type} ${object.metadata.name}`);
      if (type === 'DELETED') break;
    }
    return seen;
  },
  'a watch that the server ends': async () => {
    const selection = { apiVersion: 'v1', kind: 'Secret', namespace: NAMESPACE };
    for await (const event of client.watch(selection, '', { timeoutMs: 1 })) return event.type;
    return 'ended';
  },
  'a watch from too long ago': async () => {
    for await (const event of client.watch({ apiVersion: 'v1', kind: 'Secret' }, '1')) return event.type;
    return 'ended';
  },
  'a program': () => run('cat', '/tmp/cilium/config-map/cluster-name'),
  'a program that fails': () => run('cat', '/nowhere'),
  'a program that is not there': () => run('no-such-program'),
  'a program of nobody': () =>
    client.exec({ namespace: NAMESPACE, pod: 'nobody', container: 'x', command: ['y'], timeoutMs: 60_000 }),
  'a port that nobody listens on': async () => {
    const stream = await client.portForward({ ...(await agent()), port: 1 });
    stream.resume();
    await once(stream, 'close');
    return 'closed';
  },
  'a read that is dropped': () => {
    fault = () => 'drop';
    return client.version();
  },
  'a write whose answer is dropped': () => {
    fault = ({ verb }) => (verb === 'create' ? 'drop-answer' : undefined);
    return client.create(configMap('cilium-config', {}));
  },
  'a program that is dropped': async () => {
    const pod = await agent();
    fault = () => 'drop';
    return client.exec({ ...pod, container: 'cilium-agent', command: ['cat'], timeoutMs: 60_000 });
  },
  'a server in trouble': () => {
    fault = () => {
      throw new ApiError(403, 'Forbidden', 'not today');
    };
    return client.version();
  },
  'what was given up before it began': () =>
    client.get({ apiVersion: 'v1', kind: 'Secret', name: 'x' }, { signal: AbortSignal.abort(new Error('given up')) }),
};

async function outcome(request: () => Promise<unknown>): Promise<unknown> {
  try {
    return { is: await request() };
  } catch (error) {
    const { code, message, hint, details } = error as Record<string, unknown>;
    return { code, message, hint, details };
  } finally {
    fault = undefined;
  }
}

describe('a request without a socket', () => {
  it('is taken by the handlers themselves', async () => {
    const { handlers } = found(sandbox.clusters[0], 'a cluster');
    const [serve, open] = [vi.spyOn(handlers, 'serve'), vi.spyOn(handlers, 'open')];
    await run('cat', '/nowhere');
    expect([serve.mock.calls.length, open.mock.calls.length]).toEqual([1, 1]);
    vi.restoreAllMocks();
  });
  it.each(Object.entries(REQUESTS))('has the outcome that it has over HTTP: %s', async (_name, request) => {
    const { url, handlers } = found(sandbox.clusters[0], 'a cluster');
    const short = await outcome(request);
    forgetInProcess(url);
    try {
      expect(short).toEqual(await outcome(request));
    } finally {
      serveInProcess(url, handlers);
    }
  });
});
