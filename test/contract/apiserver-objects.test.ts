import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apply, call, type TestServer } from '../support/apiserver.ts';
import { API_SERVERS } from '../support/apiservers.ts';

describe.each(API_SERVERS)('$name', ({ start, isReal }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());

  const SECRETS = '/api/v1/namespaces/default/secrets';
  const PODS = '/api/v1/namespaces/default/pods';
  const SERVICES = '/api/v1/namespaces/default/services';

  const post = (path: string, body: unknown) => call(server, path, { method: 'POST', body });
  const put = (path: string, body: unknown) => call(server, path, { method: 'PUT', body });
  const remove = (path: string, body?: unknown) => call(server, path, { method: 'DELETE', body });
  const pod = (name: string, extra: object = {}) => ({
    metadata: { name, ...extra },
    spec: { containers: [{ name: 'c', image: 'i:1' }] },
  });

  describe('life of an object', () => {
    test('create, get, replace, delete', async () => {
      const created = await post(SECRETS, { metadata: { name: 'life' }, stringData: { key: 'value' } });
      expect(created.status).toBe(201);
      expect(created.body).toMatchObject({
        kind: 'Secret',
        apiVersion: 'v1',
        type: 'Opaque',
        data: { key: 'dmFsdWU=' },
      });
      expect(created.body.stringData).toBeUndefined();
      expect(created.body.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect((await post(SECRETS, { metadata: { name: 'life' } })).body).toMatchObject({
        code: 409,
        reason: 'AlreadyExists',
        message: 'secrets "life" already exists',
      });

      const changed = await put(`${SECRETS}/life`, { ...created.body, data: { key: 'bmV3' } });
      expect(changed.body.data).toEqual({ key: 'bmV3' });
      const stale = await put(`${SECRETS}/life`, { ...created.body, data: {} });
      expect(stale.body).toMatchObject({
        code: 409,
        reason: 'Conflict',
        message:
          'Operation cannot be fulfilled on secrets "life": the object has been modified; please apply your changes to the latest version and try again',
      });

      const refused = await remove(`${SECRETS}/life`, { preconditions: { uid: 'other' } });
      expect(refused.body).toMatchObject({ code: 409, reason: 'Conflict' });
      expect((await remove(`${SECRETS}/life`)).body).toMatchObject({ kind: 'Status', status: 'Success' });
      expect((await call(server, `${SECRETS}/life`)).body).toEqual({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'secrets "life" not found',
        reason: 'NotFound',
        details: { name: 'life', kind: 'secrets' },
        code: 404,
      });
    });

    test('a write that changes nothing keeps the resourceVersion', async () => {
      const { body } = await post(SECRETS, { metadata: { name: 'same' }, data: { a: 'YQ==' } });
      expect((await put(`${SECRETS}/same`, body)).body.metadata.resourceVersion).toBe(body.metadata.resourceVersion);
    });

    test('generateName, missing namespace, namespace that differs, dry run', async () => {
      expect((await post(PODS, pod('', { generateName: 'gen-' }))).body.metadata.name).toMatch(
        /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/,
      );
      expect((await post('/api/v1/namespaces/nowhere/secrets', { metadata: { name: 'x' } })).body).toMatchObject({
        code: 404,
        message: 'namespaces "nowhere" not found',
      });
      expect((await post(SECRETS, { metadata: { name: 'x', namespace: 'other' } })).status).toBe(400);
      expect((await post(`${SECRETS}?dryRun=All`, { metadata: { name: 'dry' } })).status).toBe(201);
      expect((await call(server, `${SECRETS}/dry`)).status).toBe(404);
    });

    test('the status is written through its subresource only, the generation follows the spec', async () => {
      const deployments = '/apis/apps/v1/namespaces/default/deployments';
      const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i:1' }] } };
      const spec = { selector: { matchLabels: { a: 'b' } }, template };
      const { body: created } = await post(deployments, { metadata: { name: 'web' }, spec, status: { replicas: 7 } });
      expect([created.status, created.metadata.generation]).toEqual([{}, 1]);
      const { body: status } = await put(`${deployments}/web/status`, {
        ...created,
        spec: { replicas: 9 },
        status: { replicas: 3 },
      });
      expect([status.status.replicas, status.spec.replicas, status.metadata.generation]).toEqual([3, 1, 1]);
      const scale = await call(server, `${deployments}/web/scale`, {
        method: 'PATCH',
        body: { spec: { replicas: 4 } },
        type: 'application/merge-patch+json',
      });
      expect(scale.body).toMatchObject({
        kind: 'Scale',
        spec: { replicas: 4 },
        status: { replicas: 3, selector: 'a=b' },
      });
      const { body: scaled } = await call(server, `${deployments}/web`);
      expect([scaled.spec.replicas, scaled.status.replicas, scaled.metadata.generation]).toEqual([4, 3, 2]);
    });

    test('finalizers keep a deleted object until they are gone', async () => {
      const { body } = await post(SECRETS, { metadata: { name: 'held', finalizers: ['example.com/hold'] } });
      expect((await remove(`${SECRETS}/held`)).body.metadata.deletionTimestamp).toBeDefined();
      const { body: marked } = await call(server, `${SECRETS}/held`);
      const more = {
        ...marked,
        metadata: { ...marked.metadata, finalizers: ['example.com/hold', 'example.com/more'] },
      };
      expect((await put(`${SECRETS}/held`, more)).body.message).toBe(
        'Secret "held" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/more"}',
      );
      await put(`${SECRETS}/held`, { ...marked, metadata: { ...marked.metadata, finalizers: [] } });
      expect((await call(server, `${SECRETS}/held`)).status).toBe(404);
      expect(body.metadata.deletionTimestamp).toBeUndefined();
    });

    test.skipIf(isReal)(
      '(sandbox only: a real cluster has a controller for it) dependents go with their owner, or are orphaned',
      async () => {
        for (const [name, policy, left] of [
          ['cascade', 'Background', 404],
          ['orphan', 'Orphan', 200],
        ] as const) {
          const { body: owner } = await post('/api/v1/namespaces/default/configmaps', { metadata: { name } });
          const reference = { apiVersion: 'v1', kind: 'ConfigMap', name, uid: owner.metadata.uid };
          await post(PODS, pod(`${name}-pod`, { ownerReferences: [reference] }));
          await remove(`/api/v1/namespaces/default/configmaps/${name}?propagationPolicy=${policy}`);
          const dependent = await call(server, `${PODS}/${name}-pod`);
          expect([name, dependent.status]).toEqual([name, left]);
          if (left === 200) expect(dependent.body.metadata.ownerReferences).toBeUndefined();
        }
      },
    );

    test('deletecollection takes the selected; a namespace is terminating until it is let go', async () => {
      await post('/api/v1/namespaces', { metadata: { name: 'short' } });
      const configs = '/api/v1/namespaces/short/configmaps';
      for (const [name, tier] of [
        ['a', 'x'],
        ['b', 'x'],
        ['c', 'y'],
      ])
        await post(configs, { metadata: { name, labels: { tier } } });
      expect((await remove(`${configs}?labelSelector=tier%3Dx`)).body.items).toHaveLength(2);
      expect((await call(server, configs)).body.items.map((item: KubeObject) => item.metadata.name)).toEqual(['c']);
      const path = '/api/v1/namespaces/short';
      const { body: marked } = await remove(path);
      expect(marked.status).toEqual({ phase: 'Terminating' });
      expect([marked.spec.finalizers, marked.metadata.deletionTimestamp]).toEqual([['kubernetes'], expect.any(String)]);
      expect((await post(configs, { metadata: { name: 'late' } })).body).toMatchObject({
        code: 403,
        reason: 'Forbidden',
        message:
          'configmaps "late" is forbidden: unable to create new content in namespace short because it is being terminated',
        details: {
          causes: [
            {
              reason: 'NamespaceTerminating',
              message: 'namespace short is being terminated',
              field: 'metadata.namespace',
            },
          ],
        },
      });
      // What the controller of a cluster does: it empties the namespace, then lets it go.
      await remove(`${configs}/c`);
      await put(`${path}/finalize`, { ...marked, spec: {} });
      expect((await call(server, path)).status).toBe(404);
    });

    test('a CustomResourceDefinition serves its kind', async () => {
      const names = { kind: 'ServiceMonitor', plural: 'servicemonitors', singular: 'servicemonitor' };
      const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
      const versions = [{ name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }];
      const spec = { group: 'monitoring.coreos.com', names, scope: 'Namespaced', versions };
      const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
      const path = '/apis/monitoring.coreos.com/v1/namespaces/default/servicemonitors';
      expect((await call(server, path)).status).toBe(404);
      await post(crds, { metadata: { name: 'servicemonitors.monitoring.coreos.com' }, spec });
      const conditions = async () =>
        (await call(server, `${crds}/servicemonitors.monitoring.coreos.com`)).body.status.conditions;
      const established = expect.objectContaining({ type: 'Established', status: 'True' });
      await expect.poll(conditions).toContainEqual(established);
      const served = async () => (await call(server, path)).status;
      await expect.poll(served).toBe(200);
      const monitor = {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'ServiceMonitor',
        metadata: { name: 'm' },
        spec: { any: ['thing'] },
      };
      expect((await post(path, { ...monitor, kind: undefined })).body.message).toContain("Object 'Kind' is missing");
      expect((await post(path, monitor)).status).toBe(201);
      const { body: list } = await call(server, path);
      expect(list.items[0]).toMatchObject({
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'ServiceMonitor',
        spec: { any: ['thing'] },
      });
      await remove(`${crds}/servicemonitors.monitoring.coreos.com`);
      await expect.poll(served).toBe(404);
    });

    test('all versions of a kind show the same objects', async () => {
      await post('/apis/cilium.io/v2alpha1/ciliumloadbalancerippools', {
        apiVersion: 'cilium.io/v2alpha1',
        kind: 'CiliumLoadBalancerIPPool',
        metadata: { name: 'pool' },
        spec: { blocks: [] },
      });
      expect((await call(server, '/apis/cilium.io/v2/ciliumloadbalancerippools/pool')).body.apiVersion).toBe(
        'cilium.io/v2',
      );
    });
  });

  describe('lists', () => {
    const NODES = '/api/v1/nodes';
    beforeAll(async () => {
      for (let index = 0; index < 7; index += 1) {
        await post(NODES, {
          metadata: {
            name: `n${index}`,
            labels: { zone: index % 2 ? 'b' : 'a', ...(index > 4 ? { gpu: 'yes' } : {}) },
          },
        });
      }
    });
    const names = async (query: string): Promise<string[]> =>
      (await call(server, `${NODES}?${query}`)).body.items.map((item: KubeObject) => item.metadata.name);

    test.each([
      ['labelSelector=zone%3Da', ['n0', 'n2', 'n4', 'n6']],
      ['labelSelector=zone%21%3Da', ['n1', 'n3', 'n5']],
      [`labelSelector=${encodeURIComponent('zone in (b, c),!gpu')}`, ['n1', 'n3']],
      [`labelSelector=${encodeURIComponent('zone notin (b),gpu')}`, ['n6']],
      ['fieldSelector=metadata.name%3Dn3', ['n3']],
      [`fieldSelector=${encodeURIComponent('metadata.name!=n3')}`, ['n0', 'n1', 'n2', 'n4', 'n5', 'n6']],
    ])('%s', async (query, expected) => {
      expect(await names(query)).toEqual(expected);
    });

    test('selectors that cannot be read or served are refused', async () => {
      expect((await call(server, `${NODES}?labelSelector=${encodeURIComponent('a in (')}`)).status).toBe(400);
      expect((await call(server, `${NODES}?fieldSelector=spec.nope%3D1`)).body.message).toBe(
        'field label not supported: spec.nope',
      );
    });

    test('pages are of one snapshot', async () => {
      const first = (await call(server, `${NODES}?limit=3`)).body;
      expect(first.metadata.remainingItemCount).toBe(4);
      await post(NODES, { metadata: { name: 'n00' } });
      await remove(`${NODES}/n3`);
      const second = (await call(server, `${NODES}?limit=3&continue=${first.metadata.continue}`)).body;
      expect(second.items.map((item: KubeObject) => item.metadata.name)).toEqual(['n3', 'n4', 'n5']);
      expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      const third = (await call(server, `${NODES}?limit=3&continue=${second.metadata.continue}`)).body;
      expect([third.items.length, third.metadata.continue]).toEqual([1, undefined]);
    });

    test('items of built-in kinds carry no kind, as from a real server', async () => {
      const { body } = await call(server, NODES);
      expect(body.kind).toBe('NodeList');
      expect(body.items[0].kind).toBeUndefined();
    });
  });

  describe('services', () => {
    const service = (name: string, spec: object) => ({ metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } });

    test('addresses and ports are given, kept, and not given twice', async () => {
      const { body: first } = await post(
        SERVICES,
        service('first', { type: 'NodePort', ports: [{ port: 80, nodePort: 32379 }] }),
      );
      expect(first.spec).toMatchObject({
        clusterIP: expect.stringMatching(/^10\.96\./),
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80, nodePort: 32379 }],
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        externalTrafficPolicy: 'Cluster',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
      });
      const taken = await post(
        SERVICES,
        service('second', { type: 'NodePort', ports: [{ port: 80, nodePort: 32379 }] }),
      );
      expect(taken.body).toMatchObject({
        code: 422,
        reason: 'Invalid',
        message:
          'Service "second" is invalid: spec.ports[0].nodePort: Invalid value: 32379: provided port is already allocated',
      });
      const outside = await post(
        SERVICES,
        service('third', { type: 'NodePort', ports: [{ port: 80, nodePort: 8080 }] }),
      );
      expect(outside.body.details.causes[0].message).toContain('The range of valid ports is 30000-32767');
      const { body: second } = await post(SERVICES, service('second', { type: 'LoadBalancer' }));
      expect(second.spec.clusterIP).not.toBe(first.spec.clusterIP);
      expect(second.spec.ports[0].nodePort).toBeGreaterThanOrEqual(30000);

      const { body: kept } = await put(
        `${SERVICES}/second`,
        service('second', { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }] }),
      );
      expect([kept.spec.clusterIP, kept.spec.ports[0].nodePort]).toEqual([
        second.spec.clusterIP,
        second.spec.ports[0].nodePort,
      ]);
      const moved = await put(`${SERVICES}/second`, service('second', { clusterIP: '10.96.200.200' }));
      expect(moved.body.message).toContain('may not change once set');
    });
  });

  describe('validation', () => {
    const MEBIBYTE = 1024 * 1024;

    test('takes data of a MiB, whatever its base64 and the names of its keys are', async () => {
      const data = { ['k'.repeat(200)]: Buffer.alloc(MEBIBYTE).toString('base64') };
      const answer = await post('/api/v1/namespaces/default/secrets', { metadata: { name: 'full' }, data });
      expect(answer.body.metadata).toMatchObject({ name: 'full' });
    });

    const selector = { matchLabels: { a: 'b' } };
    test.each([
      [SECRETS, { metadata: { name: 'Bad_Name' } }, 'metadata.name'],
      [SECRETS, { metadata: {} }, 'metadata.name'],
      [SECRETS, { metadata: { name: 'x', labels: { a: 'not valid' } } }, 'metadata.labels'],
      [SECRETS, { metadata: { name: 'x', labels: { 'not valid': 'a' } } }, 'metadata.labels'],
      [SECRETS, { metadata: { name: 'x', labels: { 'a/b/c': 'a' } } }, 'metadata.labels'],
      [SECRETS, { metadata: { name: 'x', labels: { 'UPPER.com/x': 'a' } } }, 'metadata.labels'],
      [SECRETS, { metadata: { name: 'x', labels: { a: 'a'.repeat(64) } } }, 'metadata.labels'],
      [SECRETS, { metadata: { name: 'x', annotations: { '/x': 'a' } } }, 'metadata.annotations'],
      [SECRETS, { metadata: { name: 'x', annotations: { x: 'a'.repeat(262_144) } } }, 'metadata.annotations'],
      [SECRETS, { metadata: { name: 'x', finalizers: ['plain'] } }, 'metadata.finalizers[0]'],
      [
        SECRETS,
        { metadata: { name: 'x', ownerReferences: [{ kind: 'x', name: 'y' }] } },
        'metadata.ownerReferences.uid',
      ],
      [SERVICES, { metadata: { name: 'x' }, spec: { ports: [{ port: 1, name: 'Up' }] } }, 'spec.ports[0].name'],
      [SERVICES, { metadata: { name: 'x' }, spec: { ports: [{ port: 1, protocol: 'x' }] } }, 'spec.ports[0].protocol'],
      [
        SERVICES,
        { metadata: { name: 'x' }, spec: { ports: [{ port: 1 }], selector: { 'a b': 'c' } } },
        'spec.selector',
      ],
      [SECRETS, { metadata: { name: 'x' }, type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }, 'data[tls.key]'],
      [SERVICES, { metadata: { name: 'x' }, spec: {} }, 'spec.ports'],
      [SERVICES, { metadata: { name: 'x' }, spec: { type: 'Nope', ports: [{ port: 1 }] } }, 'spec.type'],
      [PODS, { metadata: { name: 'x' }, spec: {} }, 'spec.containers'],
      [PODS, { metadata: { name: 'x' }, spec: { containers: [{ name: 'C', image: 'i' }] } }, 'spec.containers[0].name'],
      [
        PODS,
        {
          metadata: { name: 'x' },
          spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 70000 }] }] },
        },
        'spec.containers[0].ports[0].containerPort',
      ],
      [
        '/apis/apps/v1/namespaces/default/deployments',
        { metadata: { name: 'x' }, spec: { replicas: -1, selector, template: pod('x') } },
        'spec.replicas',
      ],
      [
        '/apis/apps/v1/namespaces/default/deployments',
        { metadata: { name: 'x' }, spec: { template: pod('x') } },
        'spec.selector',
      ],
      [
        '/apis/apps/v1/namespaces/default/daemonsets',
        { metadata: { name: 'x' }, spec: { selector, template: pod('x') } },
        'spec.template.metadata.labels',
      ],
      [
        '/apis/apps/v1/namespaces/default/replicasets',
        {
          metadata: { name: 'x' },
          spec: { selector, template: { spec: { ...pod('x').spec, restartPolicy: 'Never' } } },
        },
        'spec.template.spec.restartPolicy',
      ],
      [
        '/apis/policy/v1/namespaces/default/poddisruptionbudgets',
        { metadata: { name: 'x' }, spec: { selector, minAvailable: 1, maxUnavailable: 1 } },
        'spec',
      ],
      [
        '/api/v1/namespaces/default/secrets',
        { metadata: { name: 'x' }, stringData: { a: 'x'.repeat(MEBIBYTE + 1) } },
        'data',
      ],
      [
        '/api/v1/namespaces/default/secrets',
        { metadata: { name: 'x' }, data: { a: Buffer.alloc(MEBIBYTE).toString('base64'), b: 'eA==' } },
        'data',
      ],
      [
        '/api/v1/namespaces/default/configmaps',
        { metadata: { name: 'x' }, data: { a: 'é'.repeat(MEBIBYTE / 2 + 1) } },
        '[]',
      ],
    ])('POST %s %j', async (path, body, field) => {
      const answer = await post(path, body);
      expect(answer.body).toMatchObject({ code: 422, reason: 'Invalid' });
      expect(answer.body.details.causes.map((cause: { field: string }) => cause.field)).toContain(field);
    });

    test('annotations may be anything under a valid key', async () => {
      const annotations = { 'Example.com/Key_1': 'any {"thing"} ü', short: '' };
      expect((await post(SECRETS, { metadata: { name: 'noted', annotations } })).body.metadata).toMatchObject({
        annotations,
      });
    });

    test('values of another type than their field are refused', async () => {
      const labelled = { metadata: { name: 'x', labels: { a: true } } };
      const why = 'json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string';
      expect((await post(SECRETS, labelled)).body).toMatchObject({
        code: 400,
        message: `Secret in version "v1" cannot be handled as a Secret: ${why}`,
      });
      const deployments = '/apis/apps/v1/namespaces/default/deployments';
      expect((await post(deployments, { metadata: { name: 'x' }, spec: { replicas: '2' } })).body.message).toContain(
        'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
      );
      await post(SECRETS, { metadata: { name: 'labelled' } });
      const { name: _, ...metadata } = labelled.metadata;
      const patched = await call(server, `${SECRETS}/labelled`, {
        method: 'PATCH',
        body: { metadata },
        type: 'application/merge-patch+json',
      });
      expect(patched.body).toMatchObject({ code: 422, reason: 'Invalid', message: expect.stringContaining(why) });
      const applied = { apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata, name: 'labelled' } };
      expect((await apply(server, `${SECRETS}/labelled`, applied)).body.message).toBe(
        'failed to create typed patch object (/labelled; /v1, Kind=Secret): .metadata.labels.a: expected string, got &value.valueUnstructured{Value:true}',
      );
    });

    test('unknown fields warn, or fail where that is asked for', async () => {
      const body = { ...pod('odd'), spec: { ...pod('odd').spec, restartPolice: 'Never' } };
      const warned = await post(PODS, body);
      expect([warned.status, warned.headers.warning]).toEqual([201, '299 - "unknown field \\"spec.restartPolice\\""']);
      expect(warned.body.spec.restartPolice).toBeUndefined();
      const strict = await post(`${PODS}?fieldValidation=Strict`, body);
      expect(strict.body.message).toBe(
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.restartPolice"',
      );
    });

    test('bodies that are none are refused', async () => {
      expect((await call(server, SECRETS, { method: 'POST', body: '{', type: 'application/json' })).status).toBe(400);
      expect((await call(server, SECRETS, { method: 'POST', body: 'x', type: 'text/csv' })).status).toBe(415);
      expect((await post(SECRETS, { kind: 'ConfigMap', metadata: { name: 'x' } })).status).toBe(400);
    });
  });

  describe('defaults', () => {
    test('pods get what kubectl diff would notice', async () => {
      const spec = {
        containers: [
          {
            name: 'c',
            image: 'i',
            ports: [{ containerPort: 1 }],
            readinessProbe: { httpGet: { port: 1 } },
            env: [{ name: 'A', value: '' }],
          },
        ],
        volumes: [
          { name: 's', secret: { secretName: 's' } },
          { name: 'h', hostPath: { path: '/' } },
          { name: 'e', emptyDir: {} },
        ],
        hostNetwork: false,
      };
      const { body } = await post(PODS, { metadata: { name: 'full' }, spec });
      expect(body.spec).toEqual({
        containers: [
          {
            name: 'c',
            image: 'i',
            imagePullPolicy: 'Always',
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
            resources: {},
            env: [{ name: 'A' }],
            ports: [{ containerPort: 1, protocol: 'TCP' }],
            readinessProbe: {
              httpGet: { port: 1, path: '/', scheme: 'HTTP' },
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
          },
        ],
        volumes: [
          { name: 's', secret: { secretName: 's', defaultMode: 420 } },
          { name: 'h', hostPath: { path: '/', type: '' } },
          { name: 'e', emptyDir: {} },
        ],
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        dnsPolicy: 'ClusterFirst',
        securityContext: {},
        schedulerName: 'default-scheduler',
        enableServiceLinks: true,
        priority: 0,
        preemptionPolicy: 'PreemptLowerPriority',
        tolerations: ['not-ready', 'unreachable'].map((condition) => ({
          key: `node.kubernetes.io/${condition}`,
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        })),
      });
    });

    test.each([
      ['1000m', '1'],
      ['0.5', '500m'],
      ['1024Mi', '1Gi'],
      ['1.5Gi', '1536Mi'],
      ['1500k', '1500k'],
      ['128974848', '128974848'],
      ['0', '0'],
    ])('the quantity %s comes back as %s', async (given, canonical) => {
      const containers = [{ name: 'c', image: 'i:1', resources: { limits: { memory: given } } }];
      const { body } = await post(`${PODS}?dryRun=All`, { metadata: { name: 'quantity' }, spec: { containers } });
      const memory = canonical;
      expect(body.spec.containers[0].resources).toEqual({ limits: { memory }, requests: { memory } });
    });

    test('the empty values that decoding drops, and those that it keeps', async () => {
      const configs = '/api/v1/namespaces/default/configmaps';
      const { body } = await post(configs, {
        metadata: { name: 'empty', labels: {}, annotations: { a: '' } },
        data: {},
        immutable: false,
      });
      expect([body.data, body.immutable, body.metadata.labels, body.metadata.annotations]).toEqual([
        undefined,
        false,
        undefined,
        { a: '' },
      ]);
      const slice = await post('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
        metadata: { name: 'unnamed' },
        addressType: 'IPv4',
        ports: [{ port: 80 }],
        endpoints: [],
      });
      expect(slice.body).toMatchObject({ ports: [{ name: '', port: 80, protocol: 'TCP' }] });
    });
  });

  test('tables for kubectl get', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    const { body } = await call(server, '/api/v1/namespaces/default', { accept });
    expect(body.kind).toBe('Table');
    expect(body.columnDefinitions.map((column: { name: string }) => column.name)).toEqual(['Name', 'Status', 'Age']);
    expect(body.rows[0].cells.slice(0, 2)).toEqual(['default', 'Active']);
    expect(body.rows[0].object.kind).toBe('PartialObjectMetadata');
  });
});
