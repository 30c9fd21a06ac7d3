import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { answer, drop, good, SECRET, secretNamed, useScriptedCluster } from '../support/kube-scripted.ts';
import { failure, sendJson } from '../support/kube-server.ts';

const { answering, open, serve } = useScriptedCluster();

describe('requests', () => {
  test('get, create, apply, patch and delete say what the API server expects', async () => {
    const { client, server } = await answering(good);
    await client.get(SECRET);
    await client.create(secretNamed('cilium-ca'), { dryRun: true });
    await client.apply(secretNamed('cilium-ca'), { force: true });
    await client.patch(SECRET, { data: { a: null } }, { resourceVersion: '7', subresource: 'status' });
    await client.delete(SECRET, { uid: 'u', resourceVersion: '7', dryRun: true });
    const path = '/api/v1/namespaces/kube-system/secrets';
    expect(
      server.seen.map(({ method, path, query, headers, body }) => [
        `${method} ${path}?${query}`,
        headers['content-type'],
        body === '' ? undefined : JSON.parse(body),
      ]),
    ).toEqual([
      [`GET ${path}/cilium-ca?`, undefined, undefined],
      [
        `POST ${path}?fieldManager=meshctl&fieldValidation=Strict&dryRun=All`,
        'application/json',
        secretNamed('cilium-ca'),
      ],
      [
        `PATCH ${path}/cilium-ca?fieldManager=meshctl&fieldValidation=Strict&force=true`,
        'application/apply-patch+yaml',
        secretNamed('cilium-ca'),
      ],
      [
        `PATCH ${path}/cilium-ca/status?fieldManager=meshctl&fieldValidation=Strict`,
        'application/merge-patch+json',
        { data: { a: null }, metadata: { resourceVersion: '7' } },
      ],
      [
        `DELETE ${path}/cilium-ca?`,
        'application/json',
        {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: 'Background',
          preconditions: { uid: 'u', resourceVersion: '7' },
          dryRun: ['All'],
        },
      ],
    ]);
    expect(server.seen[0]?.headers).toMatchObject({ accept: 'application/json', 'user-agent': 'meshctl/test' });
  });

  test('requests in a row share a connection', async () => {
    const { client, server } = await answering(good);
    for (let count = 0; count < 3; count++) await client.get(SECRET);
    expect(new Set(server.seen.map(({ socket }) => socket)).size).toBe(1);
  });

  test('what is missing is undefined to get and false to delete', async () => {
    const { client } = await answering(answer(404, failure(404, 'NotFound', 'secrets "cilium-ca" not found')));
    expect(await client.get(SECRET)).toBeUndefined();
    expect(await client.delete(SECRET)).toBe(false);
  });

  test('lists come in pages, their objects complete', async () => {
    const { client, server } = await answering(
      answer(200, { metadata: { resourceVersion: '5', continue: 'more' }, items: [{ metadata: { name: 'a' } }] }),
      answer(200, { metadata: { resourceVersion: '5' }, items: [{ metadata: { name: 'b' } }] }),
    );
    expect(await client.listAll({ apiVersion: 'v1', kind: 'Node', labelSelector: 'a=b', pageSize: 1 })).toEqual([
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' } },
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'b' } },
    ]);
    expect(server.seen.map(({ path, query }) => `${path}?${query}`)).toEqual([
      '/api/v1/nodes?labelSelector=a%3Db&limit=1',
      '/api/v1/nodes?labelSelector=a%3Db&limit=1&continue=more',
    ]);
  });

  test('a list that expires half-way goes on with the token offered instead', async () => {
    const { client, server } = await answering(
      answer(200, { metadata: { resourceVersion: '5', continue: 'old' }, items: [{ metadata: { name: 'a' } }] }),
      answer(410, { ...failure(410, 'Expired', 'too old'), metadata: { continue: 'inconsistent' } }),
      answer(200, { metadata: { resourceVersion: '9' }, items: [{ metadata: { name: 'b' } }] }),
    );
    const nodes = await client.listAll({ apiVersion: 'v1', kind: 'Node' });
    expect(nodes.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    expect(server.seen.at(-1)?.query.get('continue')).toBe('inconsistent');
  });

  test('version and API groups', async () => {
    const { client } = await answering(
      answer(200, { gitVersion: 'v1.36.1' }),
      answer(200, { kind: 'APIGroupList', groups: [{ name: 'apps' }, { name: 'metallb.io' }] }),
    );
    expect(await client.version()).toBe('v1.36.1');
    expect(await client.apiGroups()).toEqual(['apps', 'metallb.io']);
  });

  test('a conflict with what meshctl itself patched is no conflict', async () => {
    const causes = [{ reason: 'FieldManagerConflict', message: 'conflict with "meshctl" using v1', field: '.data.a' }];
    const { client, server } = await answering(answer(409, failure(409, 'Conflict', 'conflict', { causes })), good);
    await client.apply(secretNamed('cilium-ca'));
    expect(server.seen.map(({ query }) => query.get('force'))).toEqual(['false', 'true']);
  });

  test('debug lines hold no bodies and no credentials', async () => {
    const server = await serve(good);
    const lines: string[] = [];
    const client = open(server.url, { user: { token: 's3cret' } }, { debug: (line) => lines.push(line) });
    await client.apply({ ...secretNamed('cilium-ca'), data: { key: 'c2VjcmV0' } });
    expect(lines).toEqual([
      expect.stringMatching(
        /^PATCH https:\/\/127\.0\.0\.1:\d+\/api\/v1\/namespaces\/kube-system\/secrets\/cilium-ca\?fieldManager=meshctl&fieldValidation=Strict&force=false 200 \d+ ms$/,
      ),
    ]);
  });
});

test('debug lines tell what was a dry run, which the path of a deletion does not', async () => {
  const server = await serve(good);
  const lines: string[] = [];
  const client = open(server.url, {}, { debug: (line) => lines.push(line) });
  const secret = { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: 'cilium-ca' };
  await client.delete(secret, { dryRun: true });
  await client.delete(secret);
  await client.get(secret);
  expect(lines.map((line) => line.endsWith(' ms (a dry run)'))).toEqual([true, false, false]);
});

test('debug lines tell who ended an attempt that got no answer: its time, or who had no more need of it', async () => {
  const server = await serve(() => undefined);
  const ended = async (signal: AbortSignal) => {
    const lines: string[] = [];
    const client = open(server.url, {}, { debug: (line) => lines.push(line) });
    await expect(client.get(SECRET, { signal })).rejects.toThrow();
    return lines.join().replace(/^.*cilium-ca (.*) \d+ ms$/, '$1');
  };
  expect(await ended(AbortSignal.timeout(20))).toBe('ended by its time limit');
  const work = new AbortController();
  setTimeout(() => work.abort(new MeshctlError('Interrupted', 'its answer is not waited for')), 20);
  expect(await ended(work.signal)).toBe('ended: its answer is not waited for');
});

describe('trying again', () => {
  test('a server that stumbles is asked again', async () => {
    const { client, server } = await answering(answer(500, {}), drop, good);
    expect(await client.get(SECRET)).toMatchObject({ kind: 'Secret' });
    expect(server.seen).toHaveLength(3);
  });

  test('not for ever', async () => {
    const { client, server } = await answering(answer(500, failure(500, 'InternalError', 'etcd is away')));
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'ApiFailure',
      message: 'context "c1": cannot get Secret kube-system/cilium-ca: the API server answers 500: etcd is away',
    });
    expect(server.seen).toHaveLength(3);
  });

  test('a creation is sent once, whatever happened to it', async () => {
    const broken = await answering(drop);
    await expect(broken.client.create(secretNamed('a'))).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    const failed = await answering(answer(500, failure(500, 'InternalError', 'no')));
    await expect(failed.client.create(secretNamed('a'))).rejects.toMatchObject({ code: 'ApiFailure' });
    expect([broken.server.seen.length, failed.server.seen.length]).toEqual([1, 1]);
  });

  test('unless the server declined it for now', async () => {
    const { client, server } = await answering(
      answer(429, failure(429, 'TooManyRequests', 'slow'), { 'retry-after': '0' }),
      good,
    );
    await client.create(secretNamed('cilium-ca'));
    expect(server.seen).toHaveLength(2);
  });

  test('a request without an answer ends in time', async () => {
    const server = await serve(() => undefined);
    const client = open(server.url, {}, { requestTimeoutMs: 100 });
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringMatching(
        /^context "c1": the API server https:\S+ did not answer within 0.1 s \(get Secret kube-system\/cilium-ca\)$/,
      ),
    });
  });

  test('Ctrl-C ends it at once, also between attempts', async () => {
    const stop = new AbortController();
    const server = await serve((_request, response) => {
      sendJson(response, 429, {}, { 'retry-after': '60' });
      setImmediate(() => stop.abort());
    });
    const client = open(
      server.url,
      {},
      { signal: stop.signal, retry: { attempts: 9, baseDelayMs: 60_000, maxDelayMs: 60_000 } },
    );
    await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Interrupted' });
  });

  test('requests leave nothing on the signal that may end them', async () => {
    const stop = new AbortController();
    const server = await serve(good);
    const client = open(server.url, {}, { signal: stop.signal });
    await Promise.all(Array.from({ length: 30 }, () => client.get(SECRET)));
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  });

  test('Ctrl-C ends a read at once, but lets a write end', async () => {
    const stop = new AbortController();
    let release = (): void => undefined;
    const server = await serve((request, response) => {
      if (request.method === 'GET') return stop.abort();
      release = () => good(request, response);
    });
    const client = open(server.url, {}, { signal: stop.signal });
    const written = client.patch(SECRET, { data: {} });
    await expect.poll(() => server.seen).toHaveLength(1);
    await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Interrupted' });
    release();
    expect(await written).toEqual(secretNamed('cilium-ca'));
  });

  test('a write without an answer ends in time, also after Ctrl-C', async () => {
    const stop = new AbortController();
    const server = await serve(() => stop.abort());
    const client = open(server.url, {}, { signal: stop.signal, requestTimeoutMs: 100 });
    await expect(client.patch(SECRET, {})).rejects.toMatchObject({
      code: expect.stringMatching(/^(Interrupted|ClusterUnreachable)$/),
    });
  });

  test("a call's own signal replaces the client's", async () => {
    const server = await serve(good);
    const client = open(server.url, {}, { signal: AbortSignal.abort() });
    await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Interrupted' });
    expect(await client.get(SECRET, { signal: new AbortController().signal })).toBeDefined();
  });
});
