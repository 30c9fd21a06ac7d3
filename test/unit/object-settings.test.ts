import { describe, expect, it } from 'vitest';
import { applySettings, type ObjectSetting, SETTINGS_ANNOTATION } from '../../src/mesh/enable/object-settings.ts';
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

function set(path: string, value: unknown, more: Partial<ObjectSetting> = {}, live?: KubeObject): KubeObject {
  const settings = path ? [{ kind: 'Deployment', path, value, ...more }] : [];
  const [first] = applySettings([deployment(), service('a'), service('b')], settings, (object) =>
    object.kind === 'Deployment' ? live : undefined,
  );
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

  it('leaves objects alone that nothing is said of', () => {
    const untouched = service('a');
    expect(applySettings([untouched], [], () => undefined)).toEqual([untouched]);
  });

  it.each<[string, unknown, RegExp]>([
    ['spec.template.spec.priorityClassNam', 'x', /PodSpec has no field "priorityClassNam"/],
    ['specs', 'x', /Deployment kube-system\/clustermesh-apiserver has no field "specs"/],
    ['spec.template.spec.containers[nope].tty', true, /there is no entry "nope"/],
    ['spec.template.spec.tolerations', [{ kee: 'a' }], /Toleration has no field "kee"/],
    ['spec.template.spec.priorityClassName.x', 'y', /is not a mapping/],
    ['metadata.name', 'other', /not to be chosen/],
    ['metadata.labels[app.kubernetes.io/managed-by]', 'x', /not to be chosen/],
    ['kind', 'x', /not to be chosen/],
    ['spec..x', 'y', /not a path/],
  ])('refuses %s', (path, value, message) => {
    expect(() => set(path, value)).toThrow(message);
  });

  it('refuses an object that is not there, or one of several', () => {
    expect(() => set('spec.type', 'x', { kind: 'Pod' })).toThrow(/there is no such object/);
    expect(() => set('spec.type', 'x', { kind: 'Service' })).toThrow(/several Service objects/);
    expect(() => set('spec.type', 'x', { kind: 'Service', name: 'b' })).not.toThrow();
  });
});
