import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type TestServer } from '../support/apiserver.ts';
import { API_SERVERS } from '../support/apiservers.ts';
import { eventually } from '../support/sandbox-mesh.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';

/** Groups beside those of workloads and roles that clients look for before they choose what to create. */
const DISCOVERED = [
  'admissionregistration.k8s.io',
  'apiregistration.k8s.io',
  'autoscaling',
  'certificates.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'node.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
];

describe.each(API_SERVERS)('$name', ({ start }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await start({ tokens: new Map([['robot-token', { user: 'robot', groups: ['robots'] }]]) });
    const lists = { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }] };
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'pod-lister' };
    await call(server, `${RBAC}/clusterroles`, {
      method: 'POST',
      body: { metadata: { name: 'pod-lister' }, ...lists },
    });
    await call(server, `${RBAC}/clusterrolebindings`, {
      method: 'POST',
      body: { metadata: { name: 'nobody-lists-pods' }, roleRef, subjects: [{ kind: 'User', name: 'nobody' }] },
    });
    const mayList = async () => (await call(server, '/api/v1/pods', { as: server.nobody })).status;
    await eventually(mayList, (status) => status === 200, 'the right to list pods');
  });
  afterAll(() => server.close());

  describe('authentication', () => {
    test('a client certificate names user and groups', async () => {
      const review = await call(server, '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
        method: 'POST',
        body: {},
      });
      expect(review.status).toBe(201);
      expect(review.body.status.userInfo).toEqual({
        username: 'kubernetes-admin',
        groups: ['system:masters', 'system:authenticated'],
        extra: { 'authentication.kubernetes.io/credential-id': [expect.stringMatching(/^X509SHA256=[0-9a-f]{64}$/)] },
      });
    });

    test.each([
      ['no credential', undefined],
      ['a certificate of a different CA', 'stranger' as const],
    ])('%s is unauthorized', async (_, who) => {
      const answer = await call(server, '/api/v1/namespaces', { as: who && server[who] });
      expect(answer.status).toBe(401);
      expect(answer.body).toMatchObject({
        kind: 'Status',
        status: 'Failure',
        reason: 'Unauthorized',
        message: 'Unauthorized',
        code: 401,
      });
    });

    test('bearer tokens', async () => {
      const headers = { authorization: 'Bearer robot-token' };
      expect((await call(server, '/version', { as: undefined, headers })).status).toBe(200);
      expect(
        (await call(server, '/version', { as: undefined, headers: { authorization: 'Bearer other' } })).status,
      ).toBe(401);
    });
  });

  describe('authorization', () => {
    test('roles decide, and a refusal says what was asked for', async () => {
      expect((await call(server, '/api/v1/pods', { as: server.nobody })).status).toBe(200);
      const secrets = await call(server, '/api/v1/namespaces/kube-system/secrets', { as: server.nobody });
      expect(secrets.status).toBe(403);
      expect(secrets.body.reason).toBe('Forbidden');
      expect(secrets.body.message).toBe(
        'secrets is forbidden: User "nobody" cannot list resource "secrets" in API group "" in the namespace "kube-system"',
      );
      const role = await call(server, '/apis/rbac.authorization.k8s.io/v1/clusterroles/x', { as: server.nobody });
      expect(role.body.message).toBe(
        'clusterroles.rbac.authorization.k8s.io "x" is forbidden: User "nobody" cannot get resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope',
      );
    });

    test('impersonation needs its own permission, then counts as the other user', async () => {
      const headers = { 'impersonate-user': 'nobody' };
      const refused = await call(server, '/api/v1/pods', {
        as: server.nobody,
        headers: { 'impersonate-user': 'kubernetes-admin' },
      });
      expect(refused.status).toBe(403);
      expect((await call(server, '/api/v1/pods', { headers })).status).toBe(200);
      expect((await call(server, '/api/v1/secrets', { headers })).status).toBe(403);
    });

    test('access reviews answer by the same roles', async () => {
      const ask = async (resource: string): Promise<unknown> => {
        const body = { spec: { resourceAttributes: { verb: 'list', resource } } };
        const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
        return (await call(server, path, { method: 'POST', body, as: server.nobody })).body.status;
      };
      expect(await ask('pods')).toMatchObject({ allowed: true });
      expect(await ask('secrets')).toEqual({ allowed: false });
    });
  });

  describe('rights that are handed on', () => {
    const MAKER = { 'impersonate-user': 'maker' };
    const lists = { apiGroups: [''], resources: ['pods'], verbs: ['list'] };
    const reads = { apiGroups: [''], resources: ['pods', 'secrets'], verbs: ['get', 'list'] };
    const LACKS =
      'user "maker" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n';
    const roleRef = (name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name });
    const write = (method: string, path: string, body: unknown, headers: Record<string, string> = MAKER) =>
      call(server, `${RBAC}/${path}`, { method, body, headers });
    const role = (name: string, ...rules: unknown[]) => write('POST', 'clusterroles', { metadata: { name }, rules });
    const bind = (name: string, to = name) =>
      write('POST', 'clusterrolebindings', { metadata: { name }, roleRef: roleRef(to) });

    beforeAll(async () => {
      const maker = { metadata: { name: 'maker' } };
      const makes = {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['clusterroles', 'clusterrolebindings'],
        verbs: ['get', 'create', 'update', 'patch'],
      };
      const binds = { ...makes, verbs: ['bind', 'escalate'], resourceNames: ['entrusted'] };
      await write('POST', 'clusterroles', { ...maker, rules: [lists, makes, binds] }, {});
      await write('POST', 'clusterroles', { metadata: { name: 'entrusted' }, rules: [reads] }, {});
      await write('POST', 'clusterroles', { metadata: { name: 'reader' }, rules: [reads] }, {});
      await write(
        'POST',
        'clusterrolebindings',
        { ...maker, roleRef: roleRef('maker'), subjects: [{ kind: 'User', name: 'maker' }] },
        {},
      );
      const mayList = async () => (await call(server, '/api/v1/pods', { headers: MAKER })).status;
      await eventually(mayList, (status) => status === 200, 'the right to list pods');
    });

    test('are those that one has', async () => {
      expect((await role('same', lists)).status).toBe(201);
      expect((await bind('same')).status).toBe(201);
      const missing =
        '{APIGroups:[""], Resources:["pods"], Verbs:["get"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}';
      const created = await role('more', reads);
      expect(created.status).toBe(403);
      expect(created.body.reason).toBe('Forbidden');
      expect(created.body.message).toBe(
        `clusterroles.rbac.authorization.k8s.io "more" is forbidden: ${LACKS}${missing}`,
      );
      expect((await bind('more', 'reader')).body.message).toBe(
        `clusterrolebindings.rbac.authorization.k8s.io "more" is forbidden: ${LACKS}${missing}`,
      );
    });

    test('are looked at in every way to write them', async () => {
      const body = { metadata: { name: 'more' }, rules: [reads] };
      const manager = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' };
      const applied = await call(server, `${RBAC}/clusterroles/more?fieldManager=me`, {
        method: 'PATCH',
        body: { ...manager, ...body },
        headers: { ...MAKER, 'content-type': 'application/apply-patch+yaml' },
      });
      expect(applied.status).toBe(403);
      const merge = { ...MAKER, 'content-type': 'application/merge-patch+json' };
      expect((await write('PATCH', 'clusterroles/reader', { metadata: { labels: { a: 'b' } } }, merge)).status).toBe(
        403,
      );
      expect((await write('PATCH', 'clusterroles/reader', {}, merge)).status).toBe(200);
      expect((await write('PATCH', 'clusterroles/reader', { rules: [lists] }, merge)).status).toBe(200);
      expect((await write('PATCH', 'clusterroles/reader', { rules: [reads] }, merge)).status).toBe(403);
      expect(
        (await write('PATCH', 'clusterroles/reader', { rules: [reads] }, { 'content-type': merge['content-type'] }))
          .status,
      ).toBe(200);
    });

    test('are any where one may escalate or bind, and a role that is not there cannot be looked at', async () => {
      expect((await bind('entrusted')).status).toBe(201);
      const absent = await bind('bound', 'absent');
      expect(absent.status).toBe(404);
      expect(absent.body.message).toBe('clusterrolebindings.rbac.authorization.k8s.io "absent" not found');
      expect(
        (await write('PUT', 'clusterroles/entrusted', { metadata: { name: 'entrusted' }, rules: [reads, reads] }))
          .status,
      ).toBe(200);
    });
  });

  test('a rules review lists what the roles allow', async () => {
    const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
    const body = { spec: { namespace: 'default' } };
    const { status } = (await call(server, path, { method: 'POST', body, as: server.nobody })).body;
    expect(status.resourceRules).toContainEqual({ verbs: ['list'], apiGroups: [''], resources: ['pods'] });
    const everybody = status.resourceRules.filter(({ verbs }: { verbs: string[] }) => verbs.includes('create'));
    expect(everybody.flatMap(({ resources }: { resources: string[] }) => resources).sort()).toEqual([
      'selfsubjectaccessreviews',
      'selfsubjectreviews',
      'selfsubjectrulesreviews',
    ]);
    expect(status.incomplete).toBe(false);
  });

  describe('discovery', () => {
    test('version and groups', async () => {
      expect((await call(server, '/version')).body).toMatchObject({
        major: '1',
        minor: '36',
        gitVersion: expect.stringMatching(/^v1\.36\./),
      });
      const { groups } = (await call(server, '/apis')).body;
      const cilium = groups.find((group: { name: string }) => group.name === 'cilium.io');
      expect(cilium.versions.map(({ version }: { version: string }) => version)).toEqual(['v2', 'v2alpha1']);
      expect(groups.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(DISCOVERED));
      const { resources } = (await call(server, '/apis/apps/v1')).body;
      expect(resources.find((resource: { name: string }) => resource.name === 'deployments/scale').kind).toBe('Scale');
    });

    test('aggregated where asked for', async () => {
      const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
      const answer = await call(server, '/apis', { accept });
      expect(answer.headers['content-type']).toContain('as=APIGroupDiscoveryList');
      const apps = answer.body.items.find((item: { metadata: { name: string } }) => item.metadata.name === 'apps');
      expect(apps.versions[0].resources.map(({ resource }: { resource: string }) => resource)).toContain('deployments');
    });

    test('unknown paths are 404', async () => {
      for (const path of [
        '/nope',
        '/api/v2',
        '/apis/nope.io/v1',
        '/apis/apps/v1/nopes',
        '/api/v1/namespaces/x/nopes/y',
      ]) {
        expect((await call(server, path)).status, path).toBe(404);
      }
    });
  });
});
