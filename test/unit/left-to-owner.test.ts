import { describe, expect, it } from 'vitest';
import { chosenOtherwise, leftToOwner } from '../../src/mesh/enable/left-to-owner.ts';
import type { KubeObject, ObjectMeta } from '../../src/mesh/objects/kube-object.ts';
import { changesTo } from '../../src/mesh/plan/diff.ts';

const ARGS = ['clustermesh', '--a', '--b'];

interface Part {
  meta?: Partial<ObjectMeta>;
  spec?: Record<string, unknown>;
  pod?: Record<string, unknown>;
  container?: Record<string, unknown>;
}

const deployment = ({ meta = {}, spec = {}, pod = {}, container = {} }: Part): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'x', namespace: 'n', ...meta },
  spec: {
    ...spec,
    template: { spec: { ...pod, containers: [{ name: 'etcd', args: ARGS, ...container }] } },
  },
});

const ROLLING = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
const CONTAINER = 'spec.template.spec.containers[etcd]';

describe('of an object that a tool makes, enable applies', () => {
  it.each<[string, Part, Part]>([
    ['flags in their order', { container: { args: ['clustermesh', '--b', '--a'] } }, {}],
    ["flags of the tool's besides", { container: { args: ['clustermesh', '--b', '--c', '--a'] } }, {}],
    [
      'how images are pulled',
      { container: { imagePullPolicy: 'Always' } },
      { container: { imagePullPolicy: 'Never' } },
    ],
    ['how pods are replaced', { spec: { strategy: { type: 'Recreate' } } }, { spec: { strategy: ROLLING } }],
    ['where pods are', { pod: { nodeSelector: { a: 'c' } } }, { pod: { nodeSelector: { a: 'b' } } }],
    [
      'how fast its programs are, and where they show their metrics and health',
      {
        container: {
          args: [...ARGS, '--kvstore-opt=etcd.qps=100', '--health-port=1', '--metrics=extensive'],
          ports: [],
        },
      },
      {
        container: {
          args: [
            ...ARGS,
            '--kvstore-opt=etcd.qps=50',
            '--health-port=2',
            '--metrics=basic',
            '--prometheus-serve-addr=:3',
          ],
          ports: [
            { name: 'x-metrics', containerPort: 3, protocol: 'TCP' },
            { name: 'x-health', containerPort: 2, protocol: 'TCP' },
          ],
        },
      },
    ],
    ['what it leaves out', {}, { pod: { affinity: { nodeAffinity: { a: 'b' } } } }],
  ])('%s, as they are', (_what, live, rendered) => {
    expect(leftToOwner(deployment(live), deployment(rendered))).toEqual(deployment(live));
  });

  it.each<[string, Part, Part, string[]]>([
    ['flags that it lacks', { container: { args: ['clustermesh', '--a'] } }, {}, [`${CONTAINER}.args`]],
    ['another program', { container: { args: ['kvstoremesh', '--a', '--b'] } }, {}, [`${CONTAINER}.args`]],
    ['another image', { container: { image: 'a' } }, { container: { image: 'b' } }, [`${CONTAINER}.image`]],
    [
      'what was --set',
      { container: { imagePullPolicy: 'Always' } },
      {
        meta: { annotations: { 'meshctl.io/set': JSON.stringify({ [`${CONTAINER}.imagePullPolicy`]: 'Never' }) } },
        container: { imagePullPolicy: 'Never' },
      },
      ['metadata.annotations.meshctl.io/set', `${CONTAINER}.imagePullPolicy`],
    ],
  ])('%s, all the same', (_what, live, rendered, paths) => {
    const wanted = leftToOwner(deployment(live), deployment(rendered));
    expect(
      changesTo(deployment(live), wanted)
        .map(({ path }) => path)
        .sort(),
    ).toEqual(paths);
  });

  it.each<[string, string, string, Record<string, unknown>, Record<string, unknown>, string[]]>([
    ['policy/v1', 'PodDisruptionBudget', '', { minAvailable: 1 }, { maxUnavailable: 1 }, []],
    ['policy/v1', 'PodDisruptionBudget', '', { maxUnavailable: 2 }, { maxUnavailable: 1 }, []],
    [
      'monitoring.coreos.com/v1',
      'ServiceMonitor',
      '',
      { endpoints: [{ port: 'a', interval: '1m' }] },
      { endpoints: [] },
      [],
    ],
    ['v1', 'Service', '-metrics', { ports: [{ port: 9000 }] }, { ports: [{ port: 9962 }] }, []],
    [
      'v1',
      'Service',
      '',
      { internalTrafficPolicy: 'Local' },
      { internalTrafficPolicy: 'Cluster' },
      ['spec.internalTrafficPolicy'],
    ],
    ['v1', 'Service', '', { type: 'ClusterIP' }, { type: 'LoadBalancer' }, ['spec.type']],
  ])('of %s %s%s what serves no peer', (...row) => {
    const [apiVersion, kind, suffix, live, rendered, paths] = row;
    const metadata = { name: `clustermesh-apiserver${suffix}`, namespace: 'n' };
    const wanted = leftToOwner(
      { apiVersion, kind, metadata, spec: live },
      { apiVersion, kind, metadata, spec: rendered },
    );
    expect(
      changesTo({ metadata, spec: live }, wanted)
        .map(({ path }) => path)
        .filter((path) => path.startsWith('spec')),
    ).toEqual(paths);
  });

  it('nor the other field of a budget for disruptions, whose ever it is', () => {
    const budget = (spec: object, set = {}): KubeObject => {
      const annotations = { 'meshctl.io/set': JSON.stringify(set) };
      return { kind: 'PodDisruptionBudget', metadata: { annotations }, spec } as unknown as KubeObject;
    };
    const rendered = budget({ maxUnavailable: 1 });
    expect([...chosenOtherwise(budget({ minAvailable: 1 }), rendered)]).toEqual(['spec.maxUnavailable']);
    expect([...chosenOtherwise(budget({ maxUnavailable: 2 }), rendered)]).toEqual([]);
    // What was --set is taken back, and what is set now is asked for.
    expect([...chosenOtherwise(budget({ minAvailable: 1 }, { 'spec.minAvailable': 1 }), rendered)]).toEqual([]);
    const other = budget({ maxUnavailable: 2 }, { 'spec.maxUnavailable': 2 });
    expect([...chosenOtherwise(budget({ minAvailable: 1 }), other)]).toEqual([]);
  });

  const marks = (by: string, annotations: Record<string, string> = {}) =>
    deployment({ meta: { labels: { 'app.kubernetes.io/managed-by': by, team: 'a' }, annotations } });

  it('no mark of its own that is not there, and those that are', () => {
    const rendered = marks('meshctl', { 'meshctl.io/service': '{"nodePort":1}', other: 'x' });
    expect(leftToOwner(marks('Helm'), rendered).metadata).toMatchObject({
      labels: { team: 'a' },
      annotations: { other: 'x' },
    });
    const noted = marks('Helm', { 'meshctl.io/service': '{}' });
    expect(leftToOwner(noted, rendered).metadata.annotations).toEqual(rendered.metadata.annotations);
    expect(leftToOwner(marks('meshctl'), rendered).metadata.labels).toEqual(rendered.metadata.labels);
  });
});
