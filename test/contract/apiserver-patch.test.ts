import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, apply, call, type SandboxServer, type TestServer } from '../support/apiserver.ts';
import { API_SERVERS } from '../support/apiservers.ts';

describe.each(API_SERVERS)('$name', ({ start, isReal }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());

  const CONFIGS = '/api/v1/namespaces/default/configmaps';
  const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
  const TYPES = {
    json: 'application/json-patch+json',
    merge: 'application/merge-patch+json',
    strategic: 'application/strategic-merge-patch+json',
  };

  const patch = (path: string, type: keyof typeof TYPES, body: unknown): Promise<Answer> =>
    call(server, path, { method: 'PATCH', body, type: TYPES[type] });

  const deployment = (name: string) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: { app: name } },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [
            {
              name: 'one',
              image: 'one:1',
              env: [
                { name: 'A', value: '1' },
                { name: 'B', value: '2' },
              ],
              args: ['x', 'y'],
            },
            { name: 'two', image: 'two:1', ports: [{ containerPort: 80 }, { containerPort: 80, protocol: 'UDP' }] },
          ],
          volumes: [
            { name: 'v', configMap: { name: 'c' } },
            { name: 'w', emptyDir: {} },
          ],
        },
      },
    },
  });

  describe('patches', () => {
    beforeEach(async () => {
      await call(server, `${CONFIGS}/p`, { method: 'DELETE' });
      await call(server, `${DEPLOYMENTS}/d`, { method: 'DELETE' });
      await call(server, CONFIGS, {
        method: 'POST',
        body: { metadata: { name: 'p', finalizers: ['a/a', 'b/b'] }, data: { a: '1', b: '2' } },
      });
      await call(server, DEPLOYMENTS, { method: 'POST', body: deployment('d') });
    });
    afterEach(() => patch(`${CONFIGS}/p`, 'merge', { metadata: { finalizers: null } }));

    test('merge patch: null takes away, lists are replaced, a stale resourceVersion conflicts', async () => {
      const { body } = await patch(`${CONFIGS}/p`, 'merge', {
        data: { a: null, c: '3' },
        metadata: { finalizers: ['c/c'] },
      });
      expect([body.data, body.metadata.finalizers]).toEqual([{ b: '2', c: '3' }, ['c/c']]);
      const stale = await patch(`${CONFIGS}/p`, 'merge', { metadata: { resourceVersion: '1' }, data: { d: '4' } });
      expect(stale.body).toMatchObject({ code: 409, reason: 'Conflict' });
    });

    test('JSON patch: operations in order, a failed test changes nothing', async () => {
      const { body } = await patch(`${CONFIGS}/p`, 'json', [
        { op: 'test', path: '/data/a', value: '1' },
        { op: 'move', from: '/data/a', path: '/data/c' },
        { op: 'copy', from: '/data/b', path: '/data/d' },
        { op: 'add', path: '/metadata/labels', value: { 'x~1y': 'no', 'x/y': 'z' } },
        { op: 'remove', path: '/metadata/labels/x~01y' },
        { op: 'replace', path: '/metadata/finalizers/0', value: 'z/z' },
        { op: 'add', path: '/metadata/finalizers/-', value: 'e/e' },
      ]);
      expect(body.data).toEqual({ b: '2', c: '1', d: '2' });
      expect(body.metadata).toMatchObject({ labels: { 'x/y': 'z' }, finalizers: ['z/z', 'b/b', 'e/e'] });
      const failed = await patch(`${CONFIGS}/p`, 'json', [
        { op: 'remove', path: '/data/b' },
        { op: 'test', path: '/data/c', value: '9' },
      ]);
      expect(failed.body).toMatchObject({ code: 422, reason: 'Invalid' });
      expect((await patch(`${CONFIGS}/p`, 'json', [{ op: 'remove', path: '/data/nope' }])).status).toBe(422);
      expect((await call(server, `${CONFIGS}/p`)).body.data.b).toBe('2');
    });

    test('strategic merge patch: lists by key, directives, order', async () => {
      const { body } = await patch(`${DEPLOYMENTS}/d`, 'strategic', {
        spec: {
          strategy: { $retainKeys: ['type'], type: 'Recreate' },
          template: {
            spec: {
              '$setElementOrder/containers': [{ name: 'two' }, { name: 'one' }, { name: 'three' }],
              containers: [
                {
                  name: 'one',
                  env: [
                    { name: 'A', $patch: 'delete' },
                    { name: 'B', value: 'new' },
                    { name: 'C', value: '3' },
                  ],
                  args: ['z'],
                },
                { name: 'three', image: 'three:1' },
              ],
              volumes: [
                { name: 'v', $retainKeys: ['name', 'emptyDir'], emptyDir: {} },
                { name: 'w', $patch: 'delete' },
              ],
            },
          },
        },
      });
      expect(body.spec.strategy).toEqual({ type: 'Recreate' });
      const { containers, volumes } = body.spec.template.spec;
      expect(containers.map((container: { name: string }) => container.name)).toEqual(['two', 'one', 'three']);
      expect(containers[1]).toMatchObject({
        image: 'one:1',
        args: ['z'],
        env: [
          { name: 'B', value: 'new' },
          { name: 'C', value: '3' },
        ],
      });
      expect(volumes).toEqual([{ name: 'v', emptyDir: {} }]);
    });

    test('strategic merge patch: sets and $patch: replace', async () => {
      const { body } = await patch(`${CONFIGS}/p`, 'strategic', {
        '$deleteFromPrimitiveList/nothing': ['x'],
        metadata: {
          finalizers: ['c/c'],
          '$deleteFromPrimitiveList/finalizers': ['a/a'],
          '$setElementOrder/finalizers': ['c/c', 'b/b'],
        },
        data: { $patch: 'replace', only: 'this' },
      });
      expect([body.metadata.finalizers, body.data]).toEqual([['c/c', 'b/b'], { only: 'this' }]);
    });

    test('strategic merge patch: the order of what is new and what was there', async () => {
      const patched = async (containers: object[], order?: string[]): Promise<string[]> => {
        const directive = order && { '$setElementOrder/containers': order.map((name) => ({ name })) };
        const spec = { ...directive, containers };
        const { body } = await patch(`${DEPLOYMENTS}/d`, 'strategic', { spec: { template: { spec } } });
        return body.spec?.template.spec.containers.map(({ name }: { name: string }) => name) ?? [body.message];
      };
      const container = (name: string) => ({ name, image: 'i:1' });
      expect(await patched([container('four'), { name: 'one', tty: true }, container('five')])).toEqual([
        'four',
        'one',
        'five',
        'two',
      ]);
      expect(await patched([{ name: 'one', $patch: 'delete' }, container('six')])).toEqual([
        'six',
        'four',
        'five',
        'two',
      ]);
      expect(await patched([container('seven')], ['five', 'seven', 'six'])).toEqual([
        'four',
        'five',
        'seven',
        'six',
        'two',
      ]);
      expect(await patched([container('six'), container('five')], ['five', 'six'])).toEqual([
        expect.stringMatching(/^The order in patch list:\n\[map\[.*\n doesn't match \$setElementOrder list:\n/),
      ]);
      const finalizers = async (list: string[]) =>
        (await patch(`${CONFIGS}/p`, 'strategic', { metadata: { finalizers: list } })).body.metadata.finalizers;
      expect(await finalizers(['z/z', 'b/b'])).toEqual(['z/z', 'a/a', 'b/b']);
    });

    test('custom resources take no strategic merge patch, unknown types are refused', async () => {
      const nodes = '/apis/cilium.io/v2/ciliumnodes';
      const node = { apiVersion: 'cilium.io/v2', kind: 'CiliumNode', metadata: { name: 'n' }, spec: { list: [1] } };
      await call(server, nodes, { method: 'POST', body: node });
      expect((await patch(`${nodes}/n`, 'strategic', { spec: {} })).status).toBe(415);
      expect((await patch(`${nodes}/n`, 'merge', { spec: { list: [2] } })).body.spec).toEqual({ list: [2] });
      expect((await call(server, `${CONFIGS}/p`, { method: 'PATCH', body: {} })).status).toBe(415);
      expect((await patch(`${CONFIGS}/absent`, 'merge', {})).status).toBe(404);
    });
  });

  describe('server-side apply', () => {
    const config = (name: string, data: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });

    test('creates, owns what it applies, writes nothing when nothing changes', async () => {
      const created = await apply(server, `${CONFIGS}/a`, config('a', { x: '1' }), 'first');
      expect(created.status).toBe(201);
      expect(created.body.metadata.managedFields).toEqual([
        {
          manager: 'first',
          operation: 'Apply',
          apiVersion: 'v1',
          time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:data': { 'f:x': {} } },
        },
      ]);
      const again = await apply(server, `${CONFIGS}/a`, config('a', { x: '1' }), 'first');
      expect([again.status, again.body]).toEqual([200, created.body]);
    });

    test('a conflict names manager and field in the words of a real server; force takes over', async () => {
      await apply(server, `${CONFIGS}/b`, config('b', { x: '1', y: '1' }), 'first');
      const one = await apply(server, `${CONFIGS}/b`, config('b', { x: '2' }), 'second');
      expect(one.body).toEqual({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'Apply failed with 1 conflict: conflict with "first": .data.x',
        reason: 'Conflict',
        details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "first"', field: '.data.x' }] },
        code: 409,
      });
      const two = await apply(server, `${CONFIGS}/b`, config('b', { x: '2', y: '2' }), 'second');
      expect(two.body.message).toBe('Apply failed with 2 conflicts: conflicts with "first":\n- .data.x\n- .data.y');
      const forced = await apply(server, `${CONFIGS}/b`, config('b', { x: '2' }), 'second', true);
      const owned = Object.fromEntries(
        forced.body.metadata.managedFields.map((entry: { manager: string; fieldsV1: unknown }) => [
          entry.manager,
          entry.fieldsV1,
        ]),
      );
      expect(owned).toEqual({ first: { 'f:data': { 'f:y': {} } }, second: { 'f:data': { 'f:x': {} } } });
    });

    test('the same value is shared, and stays until its last owner gives it up', async () => {
      await apply(server, `${CONFIGS}/c`, config('c', { x: '1', y: '1' }), 'first');
      expect((await apply(server, `${CONFIGS}/c`, config('c', { x: '1' }), 'second')).status).toBe(200);
      expect((await apply(server, `${CONFIGS}/c`, config('c', {}), 'first')).body.data).toEqual({ x: '1' });
      expect((await apply(server, `${CONFIGS}/c`, config('c', {}), 'second')).body.data).toBeUndefined();
    });

    test('other writes own what they change, and conflict as Update', async () => {
      await apply(server, `${CONFIGS}/u`, config('u', { x: '1' }), 'first');
      const { body } = await call(server, `${CONFIGS}/u?fieldManager=editor`, {
        method: 'PATCH',
        body: { data: { x: 'edited', z: 'added' } },
        type: TYPES.merge,
      });
      expect(body.metadata.managedFields).toMatchObject([
        { manager: 'editor', operation: 'Update', fieldsV1: { 'f:data': { 'f:x': {}, 'f:z': {} } } },
      ]);
      const { body: conflict } = await apply(server, `${CONFIGS}/u`, config('u', { x: '1' }), 'first');
      expect(conflict.message).toBe('Apply failed with 1 conflict: conflict with "editor" using v1: .data.x');
    });

    test('a client hands fields back to an applier, who then gives them up', async () => {
      const { body: applied } = await apply(server, `${CONFIGS}/h`, config('h', { x: '1', gone: '1' }), 'first');
      await apply(server, `${CONFIGS}/h`, config('h', { x: '2' }), 'first');
      const byEditor = (body: object) =>
        call(server, `${CONFIGS}/h?fieldManager=first`, { method: 'PATCH', body, type: TYPES.merge });
      const { body: edited } = await byEditor({ data: { x: '1', gone: '1' } });
      // Fields that a patch sets are the patch's, whatever owners it brings along: so this is one of its own.
      const { managedFields } = applied.metadata;
      const { body: given } = await byEditor({
        metadata: { managedFields, resourceVersion: edited.metadata.resourceVersion },
      });
      expect(given.metadata.managedFields).toMatchObject([
        { manager: 'first', operation: 'Apply', fieldsV1: { 'f:data': { 'f:gone': {}, 'f:x': {} } } },
      ]);
      expect(given.metadata.managedFields).toHaveLength(1);
      expect((await apply(server, `${CONFIGS}/h`, config('h', { x: '2' }), 'first')).body.data).toEqual({ x: '2' });
    });

    test('the manager of a client that names none is its user agent', async () => {
      const headers = { 'user-agent': 'kubectl-edit/v1.36 (linux)' };
      const { body } = await call(server, CONFIGS, { method: 'POST', body: config('agent', { a: '1' }), headers });
      expect(body.metadata.managedFields).toMatchObject([
        { manager: 'kubectl-edit', operation: 'Update', fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } } },
      ]);
    });

    test('lists by key: items merge, given up ones go, order is the configuration’s', async () => {
      const base = deployment('list');
      const { body: created } = await apply(server, `${DEPLOYMENTS}/list`, base, 'first');
      const fields = created.metadata.managedFields[0].fieldsV1['f:spec']['f:template']['f:spec']['f:containers'];
      expect(Object.keys(fields)).toEqual(['k:{"name":"one"}', 'k:{"name":"two"}']);
      expect(Object.keys(fields['k:{"name":"two"}']['f:ports'])).toEqual([
        'k:{"containerPort":80,"protocol":"TCP"}',
        'k:{"containerPort":80,"protocol":"UDP"}',
      ]);

      const minimal = (containers: object[]) => ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'list' },
        spec: { template: { spec: { containers } } },
      });
      const side = await apply(
        server,
        `${DEPLOYMENTS}/list`,
        minimal([
          { name: 'side', image: 'side:1' },
          { name: 'one', tty: true },
        ]),
        'second',
      );
      const names = (answer: Answer): string[] =>
        answer.body.spec.template.spec.containers.map((container: { name: string }) => container.name);
      expect([side.status, names(side).sort()]).toEqual([200, ['one', 'side', 'two']]);

      const { containers } = base.spec.template.spec;
      const spec = {
        ...base.spec,
        template: { ...base.spec.template, spec: { containers: containers.filter(({ name }) => name !== 'two') } },
      };
      const shrunk = await apply(server, `${DEPLOYMENTS}/list`, { ...base, spec }, 'first');
      expect(names(shrunk).sort()).toEqual(['one', 'side']);
      expect(shrunk.body.spec.template.spec.volumes).toBeUndefined();
      const left = await apply(server, `${DEPLOYMENTS}/list`, minimal([]), 'second');
      expect(left.body.spec.template.spec.containers).toMatchObject([{ name: 'one', image: 'one:1' }]);
      expect(left.body.spec.template.spec.containers[0].tty).toBeUndefined();
    });

    test('an apply of defaulted objects again is no change', async () => {
      const service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 's', namespace: 'default' },
        spec: { type: 'LoadBalancer', ports: [{ port: 2379 }], selector: { a: 'b' } },
      };
      const path = '/api/v1/namespaces/default/services/s';
      const { body: first } = await apply(server, path, service, 'm');
      expect((await apply(server, path, service, 'm')).body).toEqual(first);
      const binding = {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'b' },
        roleRef: { kind: 'ClusterRole', name: 'r' },
        subjects: [{ kind: 'Group', name: 'g' }],
      };
      const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/b';
      const { body: bound } = await apply(server, bindings, binding, 'm');
      expect(bound.subjects[0].apiGroup).toBe('rbac.authorization.k8s.io');
      expect((await apply(server, bindings, binding, 'm')).body).toEqual(bound);
    });

    test.skipIf(isReal)(
      '(sandbox only: reaches into its storage) objects without owners belong to before-first-apply',
      async () => {
        const { store } = (server as SandboxServer).server;
        store.create({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'old', namespace: 'default' },
          data: { x: '1' },
        });
        const resource = store.state.kinds.require('v1', 'ConfigMap');
        const stored = store.state.log.get(resource, 'default', 'old');
        if (!stored) throw new Error('the object is missing');
        const { managedFields: _, ...metadata } = stored.metadata;
        store.state.log.put(resource, { ...stored, metadata });
        const { body } = await apply(server, `${CONFIGS}/old`, config('old', { x: '2' }), 'first');
        expect(body.message).toBe('Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.x');
      },
    );

    test('what an apply request must not be', async () => {
      const type = 'application/apply-patch+yaml';
      const body = config('x', {});
      expect((await call(server, `${CONFIGS}/x`, { method: 'PATCH', body, type })).body.message).toBe(
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      );
      expect(
        (await call(server, `${CONFIGS}/a?force=true`, { method: 'PATCH', body: {}, type: TYPES.merge })).status,
      ).toBe(422);
      expect(
        (await apply(server, `${CONFIGS}/x`, { ...body, metadata: { name: 'x', managedFields: [{}] } })).status,
      ).toBe(400);
      expect((await apply(server, `${CONFIGS}/x`, { ...body, metadata: { name: 'other' } })).status).toBe(400);
      expect((await apply(server, `${CONFIGS}/x`, { ...body, dataa: {} })).body.message).toBe(
        'failed to create typed patch object (/x; /v1, Kind=ConfigMap): .dataa: field not declared in schema',
      );
    });

    test('YAML bodies and dry run', async () => {
      const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata:\n  a: "1"\n';
      const answer = await call(server, `${CONFIGS}/yaml?fieldManager=m&dryRun=All`, {
        method: 'PATCH',
        body: yaml,
        type: 'application/apply-patch+yaml',
      });
      expect([answer.status, answer.body.data]).toEqual([201, { a: '1' }]);
      expect((await call(server, `${CONFIGS}/yaml`)).status).toBe(404);
    });
  });
});
