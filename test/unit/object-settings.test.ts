import { describe, expect, it } from 'vitest';
import { SETTINGS_ANNOTATION } from '../../src/mesh/enable/kept-settings.ts';
import { applySettings, idleUnsets, type ObjectSetting } from '../../src/mesh/enable/object-settings.ts';
import { isAbout } from '../../src/mesh/enable/setting-path.ts';
import type { ObjectField } from '../../src/mesh/enable/setting-target.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';

const deployment = (): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'clustermesh-apiserver', namespace: 'kube-system' },
  spec: { template: { spec: { priorityClassName: 'old', containers: [{ name: 'etcd' }, { name: 'apiserver' }] } } },
});
const service = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'kube-system' },
  spec: { type: 'ClusterIP', ports: [{ port: 2379 }] },
});

const objects = () => [deployment(), service('a'), service('b')];
const liveIs = (live: KubeObject | undefined) => ({
  context: 'one',
  of: ({ kind }: KubeObject) => (kind === 'Deployment' ? live : undefined),
});

function set(path: string, value: unknown, more: Partial<ObjectSetting> = {}, live?: KubeObject): KubeObject {
  const settings = path ? [{ kind: 'Deployment', path, value, ...more }] : [];
  const [first] = applySettings(objects(), { settings }, liveIs(live));
  if (!first) throw new Error('no object');
  return first;
}

const podOf = ({ spec }: KubeObject) => (spec as { template: { spec: Record<string, unknown> } }).template.spec;

describe('applySettings', () => {
  it('sets a field, makes mappings on the way, and remembers it', () => {
    const changed = set('spec.template.spec.securityContext.runAsUser', 1000);
    expect(podOf(changed).securityContext).toEqual({ runAsUser: 1000 });
    expect(changed.metadata.annotations?.[SETTINGS_ANNOTATION]).toBe(
      '{"spec.template.spec.securityContext.runAsUser":1000}',
    );
  });

  it('finds list entries by name and by index, and keys with dots in brackets', () => {
    expect(podOf(set('spec.template.spec.containers[apiserver].workingDir', '/x')).containers).toEqual([
      { name: 'etcd' },
      { name: 'apiserver', workingDir: '/x' },
    ]);
    expect(podOf(set('spec.template.spec.containers[0].tty', true)).containers).toMatchObject([{ tty: true }, {}]);
    expect(set('metadata.labels[example.com/team]', 7).metadata.labels).toEqual({ 'example.com/team': '7' });
  });

  it('takes a whole value, and null as none', () => {
    const tolerations = [{ key: 'a', operator: 'Exists' }];
    expect(podOf(set('spec.template.spec.tolerations', tolerations)).tolerations).toEqual(tolerations);
    expect(podOf(set('spec.template.spec.priorityClassName', null))).not.toHaveProperty('priorityClassName');
  });

  it('keeps what earlier runs set, until this one says otherwise', () => {
    const live = set('spec.template.spec.priorityClassName', 'mine');
    expect(podOf(set('', undefined, {}, live)).priorityClassName).toBe('mine');
    expect(podOf(set('spec.template.spec.priorityClassName', 'other', {}, live)).priorityClassName).toBe('other');
  });

  const emptyDir = { volumes: [{ name: 'data', emptyDir: {} }] };
  const probed = (probe: object) => ({ containers: [{ name: 'etcd', livenessProbe: probe }] });
  it.each<[kind: string, before: object, path: string, value: unknown, after: object]>([
    ['PodDisruptionBudget', { maxUnavailable: 1 }, 'spec.minAvailable', 1, { minAvailable: 1 }],
    ['PodDisruptionBudget', { maxUnavailable: 1 }, 'spec.minAvailable', null, { maxUnavailable: 1 }],
    [
      'Pod',
      emptyDir,
      'spec.volumes[data].hostPath.path',
      '/x',
      { volumes: [{ name: 'data', hostPath: { path: '/x' } }] },
    ],
    [
      'Pod',
      emptyDir,
      'spec.volumes[0].emptyDir.medium',
      'Memory',
      { volumes: [{ name: 'data', emptyDir: { medium: 'Memory' } }] },
    ],
    [
      'Pod',
      probed({ periodSeconds: 5, httpGet: {} }),
      'spec.containers[etcd].livenessProbe.exec.command',
      ['a'],
      probed({ periodSeconds: 5, exec: { command: ['a'] } }),
    ],
    [
      'Deployment',
      { strategy: { type: 'RollingUpdate', rollingUpdate: {} } },
      'spec.strategy.type',
      'Recreate',
      { strategy: { type: 'Recreate' } },
    ],
  ])('of a %s with %j takes away what %s=%j excludes', (kind, before, path, value, after) => {
    const rendered = { apiVersion: 'v1', kind, metadata: { name: 'x' }, spec: before };
    expect(applySettings([rendered], { settings: [{ kind, path, value }] })[0]?.spec).toEqual(after);
  });

  it('leaves what excludes each other to the API server, where both are set', () => {
    const kind = 'PodDisruptionBudget';
    const rendered = { apiVersion: 'policy/v1', kind, metadata: { name: 'x' }, spec: { maxUnavailable: 1 } };
    const settings = ['minAvailable', 'maxUnavailable'].map((name) => ({ kind, path: `spec.${name}`, value: 2 }));
    expect(applySettings([rendered], { settings })[0]?.spec).toEqual({ minAvailable: 2, maxUnavailable: 2 });
  });

  it('leaves objects alone that nothing is said of', () => {
    const untouched = service('a');
    expect(applySettings([untouched], {})).toEqual([untouched]);
  });

  it.each<[string, unknown, RegExp]>([
    ['spec.template.spec.priorityClassNam', 'x', /PodSpec has no field "priorityClassNam"/],
    ['specs', 'x', /Deployment kube-system\/clustermesh-apiserver has no field "specs"/],
    ['spec.template.spec.containers[nope].tty', true, /there is no entry "nope"/],
    ['spec.template.spec.tolerations', [{ kee: 'a' }], /Toleration has no field "kee"/],
    ['spec.template.spec.priorityClassName.x', 'y', /is not a mapping/],
    ['spec.replicas', 'abc', /spec\.replicas is a whole number, not "abc"$/],
    ['spec.replicas', 1.5, /spec\.replicas is a whole number, not 1\.5$/],
    ['spec.replicas', -1, /spec\.replicas is not negative/],
    ['spec.paused', 'yes', /spec\.paused is true or false, not "yes"$/],
    ['spec.strategy', 'Recreate', /spec\.strategy is a mapping, not "Recreate"$/],
    ['spec.template.spec.priorityClassName', 5, /priorityClassName is a text, not 5$/],
    ['spec.template.spec.tolerations', { operator: 'Exists' }, /tolerations is a list, not \{/],
    ['spec.template.spec.tolerations', ['all'], /tolerations is a mapping, not "all"$/],
    ['spec.template.spec.containers[etcd].args', [1], /args is a text, not 1$/],
    ['spec.template.spec.containers[etcd].resources.limits.memory', 'lots', /limits is a mapping of quantities/],
    ['spec.template.spec.containers[etcd].resources.limits', 'none', /limits is a mapping of quantities/],
    ['metadata.name', 'other', /cannot be set/],
    ['metadata.labels[app.kubernetes.io/managed-by]', 'x', /cannot be set/],
    ['kind', 'x', /cannot be set/],
    ['spec..x', 'y', /not a path/],
  ])('refuses %s', (path, value, message) => {
    expect(() => set(path, value)).toThrow(message);
  });

  it('takes back what an earlier run set, and only that', () => {
    const live = set('spec.replicas', 0, {}, set('spec.template.spec.priorityClassName', 'mine'));
    const unset: ObjectField[] = [{ kind: 'Deployment', path: 'spec.replicas' }];
    const [changed] = applySettings(objects(), { unset }, liveIs(live));
    expect(changed?.spec).not.toHaveProperty('replicas');
    expect(changed?.metadata.annotations).toEqual({
      [SETTINGS_ANNOTATION]: '{"spec.template.spec.priorityClassName":"mine"}',
    });
    const [bare] = applySettings(objects(), { unset }, liveIs(set('spec.replicas', 0)));
    expect(bare).toEqual(deployment());
  });

  it('says what cannot be taken back since no run has set it, and what could', () => {
    const unset: ObjectField[] = [{ kind: 'Deployment', path: 'spec.replica' }];
    expect(idleUnsets(objects(), { unset }, liveIs(set('spec.replicas', 0)))).toEqual([
      '--unset Deployment/clustermesh-apiserver:spec.replica: no earlier run has set it; set is Deployment/clustermesh-apiserver:spec.replicas',
    ]);
    const known: ObjectField[] = [{ kind: 'Deployment', path: 'spec.replicas' }];
    expect(idleUnsets(objects(), { unset: known }, liveIs(set('spec.replicas', 0)))).toEqual([]);
  });

  it('lets what an earlier run took away be gone, and names the way back of what cannot be set any more', () => {
    const made = (settings: string) => {
      const live = deployment();
      return { ...live, metadata: { ...live.metadata, annotations: { [SETTINGS_ANNOTATION]: settings } } };
    };
    const gone = made('{"spec.template.spec.containers[kvstoremesh]":null}');
    expect(podOf(set('', undefined, {}, gone)).containers).toEqual([{ name: 'etcd' }, { name: 'apiserver' }]);
    const path = 'spec.template.spec.containers[kvstoremesh].tty';
    expect(() => set('', undefined, {}, made(JSON.stringify({ [path]: true })))).toThrow(
      expect.objectContaining({
        code: 'Usage',
        hint: `Undo it: meshctl clustermesh enable --context one --unset 'Deployment/clustermesh-apiserver:${path}'`,
      }),
    );
  });

  it.each<[string, string, RegExp]>([
    ['Deploymnet', 'clustermesh-apiserver', /^Did you mean Deployment\/clustermesh-apiserver\?$/],
    ['Foo', 'bar', /^There are Service\/a, /],
  ])('names the nearest of what it could be for %s/%s', (kind, name, hint) => {
    expect(() => set('spec.x', 1, { kind, name })).toThrow(
      expect.objectContaining({ code: 'Usage', hint: expect.stringMatching(hint) }),
    );
  });

  const filled = (kind: string, name: string, more: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: 'kube-system' },
    ...more,
  });
  it.each<[KubeObject, string, RegExp]>([
    [filled('ConfigMap', 'clustermesh-remote-users'), 'data[users.yaml]', /connect and disconnect write the users/],
    [filled('Secret', 'cilium-kvstoremesh'), 'data.mesh-2', /connect and disconnect write the files of peers/],
    [
      filled('Secret', 'clustermesh-apiserver-server-cert', { type: 'kubernetes.io/tls' }),
      'data[tls.crt]',
      /enable issues this certificate/,
    ],
  ])('refuses what another command fills: %o', (object, path, message) => {
    const { kind, metadata } = object;
    const settings = [{ kind, name: metadata.name, path, value: 'x' }];
    expect(() => applySettings([object], { settings })).toThrow(message);
  });

  it('refuses an object that is missing, or one of several', () => {
    expect(() => set('spec.type', 'x', { kind: 'Pod' })).toThrow(/there is no such object/);
    expect(() => set('spec.type', 'x', { kind: 'Service' })).toThrow(/several Service objects/);
    expect(() => set('spec.type', 'x', { kind: 'Service', name: 'b' })).not.toThrow();
  });
});

describe('isAbout', () => {
  it.each<[string, string, boolean]>([
    ['spec.replicas', 'spec.replicas', true],
    ['spec.selector', 'spec.selector.k8s-app', true],
    ['spec.selector.k8s-app', 'spec.selector', true],
    ['spec.select', 'spec.selector', false],
    ['spec.ports[0].targetPort', 'spec.ports[2379/TCP].targetPort', true],
    ['spec.ports[0].targetPort', 'spec.ports[2379/TCP].nodePort', false],
    ['spec.template.spec.containers[etcd]', 'spec.template.spec.containers[etcd].args', true],
    ['spec.template.spec.containers[etcd]', 'spec.template.spec.containers[apiserver].args', false],
    ['metadata.annotations[example.com/team]', 'metadata.annotations.example.com/team', true],
    ['rules', 'rules[0].verbs', true],
  ])('%s of %s: %s', (setting, changed, is) => {
    expect(isAbout(setting, changed)).toBe(is);
  });
});
