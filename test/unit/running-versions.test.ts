import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readVersions } from '../../src/flows/versions/read-versions.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { MeshCheckInput } from '../../src/mesh/checks/shared/mesh-input.ts';
import { judgeVersions } from '../../src/mesh/cilium/versions/skew.ts';
import { formatVersion, versionOfAgents } from '../../src/mesh/cilium/versions/versions.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { type KubeObject, keyOf, type ObjectRef, refOf } from '../../src/mesh/objects/kube-object.ts';
import { readSnapshot } from '../../src/snapshot/read-snapshot.ts';
import { NOW } from '../support/snapshots.ts';

const NAMESPACE = 'kube-system';

/** What is written in a cluster, and what runs. Versions without their `v`; a pod that waits has a `-` before its version, one that runs and is not ready a `!`, one of a Job a `J`. */
interface World {
  template: string;
  agents: readonly string[];
  deployment?: string | undefined;
  apiservers?: readonly string[];
  /** Whether the DaemonSet counts which agents are of its template; that of Kubernetes does. */
  counts?: boolean;
}

const named = (kind: string, name: string, labels = {}) => ({
  apiVersion: kind === 'Pod' || kind === 'ConfigMap' ? 'v1' : 'apps/v1',
  kind,
  metadata: { name, namespace: NAMESPACE, labels },
});

function pods(app: string, container: string, program: string, versions: readonly string[]): KubeObject[] {
  return versions.map((version, index) => {
    const { metadata, ...pod } = named('Pod', `${app}-${index}`, { 'k8s-app': app });
    const kind = version.startsWith('J') ? 'Job' : 'DaemonSet';
    return {
      ...pod,
      metadata: { ...metadata, ownerReferences: [{ apiVersion: 'v1', kind, name: app, uid: 'u', controller: true }] },
      spec: { containers: [{ name: container, image: `quay.io/cilium/${program}:v${version.replace(/^[-!J]/, '')}` }] },
      status: {
        phase: version.startsWith('-') ? 'Pending' : 'Running',
        ...(version.startsWith('!') ? { conditions: [{ type: 'Ready', status: 'False' }] } : {}),
      },
    };
  });
}

function statusOf({ template, agents }: World) {
  const own = agents.filter((one) => !one.startsWith('J'));
  const numberReady = own.filter((one) => !/^[-!]/.test(one)).length;
  const updatedNumberScheduled = own.filter((one) => one.replace(/^[-!]/, '') === template).length;
  return { status: { observedGeneration: 1, desiredNumberScheduled: own.length, updatedNumberScheduled, numberReady } };
}

function objectsOf(world: World): KubeObject[] {
  const { template, agents, deployment, apiservers = [], counts = false } = world;
  const spec = (container: string, program: string, version: string) => ({
    template: { spec: { containers: [{ name: container, image: `quay.io/cilium/${program}:v${version}` }] } },
  });
  return [
    { ...named('ConfigMap', 'cilium-config'), data: { 'cluster-name': 'a', 'cluster-id': '1' } },
    {
      ...named('DaemonSet', 'cilium'),
      spec: spec('cilium-agent', 'cilium', template),
      ...(counts ? statusOf(world) : {}),
    },
    ...pods('cilium', 'cilium-agent', 'cilium', agents),
    ...(deployment === undefined
      ? []
      : [
          {
            ...named('Deployment', 'clustermesh-apiserver'),
            spec: spec('apiserver', 'clustermesh-apiserver', deployment),
          },
          ...pods('clustermesh-apiserver', 'apiserver', 'clustermesh-apiserver', apiservers),
        ]),
  ];
}

/** A client over these objects. @param forbids the label of pods that may not be listed */
function clientOf(context: string, world: World, forbids?: string): ClusterClient {
  const objects = objectsOf(world);
  const list = ({ kind, labelSelector }: { kind: string; labelSelector?: string }) => {
    if (kind === 'Pod' && labelSelector === forbids) throw new MeshctlError('Forbidden', 'no');
    return objects.filter(
      (one) => one.kind === kind && (kind !== 'Pod' || labelSelector === `k8s-app=${one.metadata.labels?.['k8s-app']}`),
    );
  };
  const client = {
    context,
    server: 'https://127.0.0.1:6443',
    get: async (ref: ObjectRef) => objects.find((one) => keyOf(refOf(one)) === keyOf(ref)),
    listAll: async (selection: { kind: string }) => list(selection),
    collect: async (selection: { kind: string }, keep: (object: KubeObject) => unknown[]) =>
      list(selection).flatMap(keep),
    version: async () => 'v1.33.4',
    apiGroups: async () => [],
    exec: async () => {
      throw new MeshctlError('NotFound', 'nothing runs here');
    },
  };
  return client as unknown as ClusterClient;
}

const VERSIONS = ['1.16.5', '1.18.2', '1.19.1', '1.19.4', '1.20.0'];
const version = fc.constantFrom(...VERSIONS);
const waiting = fc.constantFrom(...['-', '!', 'J'].flatMap((state) => VERSIONS.map((one) => `${state}${one}`)));
const worlds = fc.record({
  template: version,
  // Where none runs, version says that it knows none, and agents-run fails.
  agents: fc
    .tuple(version, fc.array(fc.oneof(version, waiting), { maxLength: 2 }))
    .map(([first, more]) => [first, ...more]),
  deployment: fc.option(version, { nil: undefined }),
  apiservers: fc.array(fc.oneof(version, waiting), { maxLength: 2 }),
  counts: fc.boolean(),
});

/** Of findings by their severity and cluster, in the words of `version`. */
const OF_VERSION: Readonly<Record<string, string>> = {
  'agents-skew': 'agents-version',
  'agents-waiting': 'agents-version',
  'apiserver-skew': 'apiserver-version',
  'apiserver-rollout': 'apiserver-version',
  'version-skew': 'version-skew',
};

describe('what runs', () => {
  it('is judged by check as by version, whatever is written', async () => {
    const checks = MESH_CHECKS.filter(({ category }) => category === 'versions');
    await fc.assert(
      fc.asyncProperty(worlds, worlds, async (one, other) => {
        const clients = [clientOf('a', one), clientOf('b', other)];
        const versions = await Promise.all(
          clients.map((client) => readVersions({ client, namespace: NAMESPACE } as never)),
        );
        const clusters = await Promise.all(
          clients.map((client) => readSnapshot(client, { namespace: NAMESPACE, purpose: 'connect' })),
        );
        const input = { clusters, now: NOW } as unknown as MeshCheckInput;
        const seen = runChecks(checks, input).filter(({ severity }) => severity === 'fail' || severity === 'warn');
        const told = judgeVersions(versions).flatMap((finding) => {
          const id = OF_VERSION[finding.id];
          const where = id === 'version-skew' ? '' : finding.contexts.join();
          return id === undefined ? [] : [`${finding.severity} ${id} ${where}`];
        });
        expect(seen.map(({ severity, id, cluster = '' }) => `${severity} ${id} ${cluster}`).sort()).toEqual(
          told.sort(),
        );
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string, World, string, string | undefined]>([
    ['the template was put back', { template: '1.18.2', agents: ['1.20.0', '1.18.2'] }, '1.18.2', undefined],
    ['a rollout is held up', { template: '1.19.1', agents: ['1.16.5', '1.16.5'] }, '1.16.5', '1.19.1'],
    ['a template is older', { template: '1.16.5', agents: ['1.18.2'] }, '1.18.2', '1.16.5'],
    [
      'half of the agents are replaced',
      { template: '1.20.0', agents: ['1.20.0', '1.20.0', '1.19.4'] },
      '1.19.4',
      '1.20.0',
    ],
    ['the new image cannot be pulled', { template: '1.20.0', agents: ['1.19.4', '-1.20.0'] }, '1.19.4', '1.20.0'],
    ['one of a dead node is older', { template: '1.20.0', agents: ['1.20.0', '!1.18.2'] }, '1.20.0', undefined],
    ['a Job has pods that look like one', { template: '1.20.0', agents: ['1.20.0', 'J1.16.5'] }, '1.20.0', undefined],
    ['none is ready', { template: '1.20.0', agents: ['!1.19.4', '!1.19.4'] }, '1.19.4', '1.20.0'],
    ['no agent runs', { template: '1.20.0', agents: ['-1.19.4'] }, '1.20.0', undefined],
  ])('is the oldest agent where %s', async (_, world, runs, startsWith) => {
    const read = (forbids?: string) =>
      readSnapshot(clientOf('a', world, forbids), { namespace: NAMESPACE, purpose: 'certificates' });
    const { agent } = await read();
    const told = versionOfAgents(agent);
    expect(told && formatVersion(told)).toBe(runs);
    expect(agent?.startsWith).toBe(startsWith && `quay.io/cilium/cilium:v${startsWith}`);
    // Who may not list pods goes by the DaemonSet.
    const written = versionOfAgents((await read('k8s-app=cilium')).agent);
    expect(written && formatVersion(written)).toBe(world.template);
  });

  it.each<[string, World, boolean]>([
    ['all are of its template', { template: '1.20.0', agents: ['1.20.0', '!1.20.0'] }, false],
    ['one is not', { template: '1.20.0', agents: ['1.20.0', '1.19.4'] }, true],
    ['none is ready', { template: '1.20.0', agents: ['-1.20.0'] }, true],
  ])('is read of the pods only where the DaemonSet does not tell: %s', async (_, world, lists) => {
    const client = clientOf('a', { ...world, counts: true });
    let listed = false;
    const collect: ClusterClient['collect'] = (selection, keep) => {
      if (selection.labelSelector === 'k8s-app=cilium') listed = true;
      return client.collect(selection, keep);
    };
    await readSnapshot({ ...client, collect }, { namespace: NAMESPACE, purpose: 'connect' });
    expect(listed).toBe(lists);
  });
});
