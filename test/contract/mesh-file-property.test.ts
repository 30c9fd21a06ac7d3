import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MeshDocument, WrittenEnable, WrittenService, WrittenSpec } from '../../src/mesh/file/document.ts';
import { type MeshSpec, meshSpecOf } from '../../src/mesh/file/mesh-spec.ts';
import { parseMeshText } from '../../src/mesh/file/parse.ts';
import type { Schema } from '../../src/mesh/file/schema.ts';
import { type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

/** Whatever a file says: applied to bare clusters, exported again, it is the same file. */
const SCHEMA = JSON.parse(readFileSync(new URL('templates/schemas/mesh.schema.json', PACKAGE_ROOT), 'utf8')) as Schema;
const NAMES = ['mesh-1', 'mesh-2', 'mesh-3'];
const SERVICES = ['web', 'shop'];
/** For each topology. */
const RUNS = Number(process.env.MESH_FILE_RUNS ?? 1);

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: NAMES.length, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  for (const { store } of sandbox.clusters) {
    for (const name of SERVICES) {
      store.create({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default' },
        spec: { ports: [{ port: 80 }], selector: { app: name } },
      });
    }
  }
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const without = <T>(value: unknown) => JSON.parse(JSON.stringify(value)) as T;

const enable: fc.Arbitrary<WrittenEnable> = fc
  .record({
    serviceType: optional(fc.constantFrom('NodePort' as const, 'ClusterIP' as const)),
    serviceAnnotations: optional(fc.constant({ 'example.net/team': 'mesh' })),
    replicas: optional(fc.integer({ min: 1, max: 3 })),
    kvstoremesh: optional(fc.boolean()),
    etcdStorage: optional(fc.constantFrom('disk' as const, 'memory' as const)),
    podDisruptionBudget: optional(fc.boolean()),
    tolerations: optional(fc.constant([{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }])),
    pullSecrets: optional(fc.constant(['registry'])),
    resources: optional(fc.constant({ etcd: { limits: { memory: '1Gi' } } })),
    set: optional(fc.constant({ 'Deployment/clustermesh-apiserver:spec.minReadySeconds': 1 })),
  })
  .map((of) => without<WrittenEnable>(of));

/** Each is tried, for they are read, drawn and exported differently. */
const topologies = {
  mesh: fc.constant({ type: 'mesh' as const }),
  hub: fc.constantFrom(...NAMES).map((hub) => ({ type: 'hub' as const, hubs: [hub] })),
  pairs: fc
    .subarray([['mesh-1', 'mesh-2'], ['mesh-3', 'mesh-2'], { from: 'mesh-3', to: 'mesh-1' }] as (
      | readonly [string, string]
      | { from: string; to: string }
    )[])
    .map((pairs) => ({ type: 'pairs' as const, pairs })),
  regions: fc.constant({
    type: 'regions' as const,
    regions: [
      { name: 'eu', clusters: ['mesh-1', 'mesh-3'], hub: 'mesh-3' },
      { name: 'us', clusters: ['mesh-2'], hub: 'mesh-2' },
    ],
  }),
} satisfies Record<string, fc.Arbitrary<WrittenSpec['topology']>>;
type Topology = keyof typeof topologies;

const services = fc.subarray(SERVICES).chain((names) =>
  fc.tuple(
    ...names.map((name) =>
      fc
        .record({
          namespace: fc.constant('default'),
          name: fc.constant(name),
          affinity: optional(fc.constantFrom('local' as const, 'remote' as const, 'none' as const)),
          shared: optional(fc.boolean()),
          clusters: optional(fc.subarray(NAMES, { minLength: 1 })),
        })
        .map((of) => without<WrittenService>(of)),
    ),
  ),
);

const specs = (topology: Topology): fc.Arbitrary<WrittenSpec> =>
  fc
    .record({
      defaults: optional(enable.map((of) => ({ enable: of }))),
      clusters: fc.tuple(...NAMES.map((name) => optional(enable).map((of) => ({ name, enable: of })))),
      topology: topologies[topology],
      credentials: optional(fc.constantFrom('auto' as const, 'per-peer' as const)),
      endpoints: optional(fc.constant([{ to: 'mesh-2', addresses: ['203.0.113.2:2379'] }])),
      services,
    })
    .map((of) => without<WrittenSpec>(of));

/** The options by which nothing is otherwise than without them. */
const DEFAULTS: WrittenEnable = { replicas: 1, kvstoremesh: true, etcdStorage: 'disk', podDisruptionBudget: false };

/** What a file means: without what is a default, and whichever way it is written. */
function meant(spec: MeshSpec): unknown {
  return {
    clusters: spec.clusters.map(({ name, enable: of }) => ({
      name,
      enable: Object.fromEntries(
        Object.entries(of)
          .filter(([key, value]) => DEFAULTS[key as keyof WrittenEnable] !== value)
          .sort(([a], [b]) => a.localeCompare(b)),
      ),
    })),
    dials: spec.dials
      .map(({ from, to, credentials = 'auto', endpoints, oneWay }) => ({ from, to, credentials, endpoints, oneWay }))
      .sort((a, b) => `${a.from} ${a.to}`.localeCompare(`${b.from} ${b.to}`)),
    services: spec.services
      .flatMap(({ name, affinity = 'none', shared = true, clusters, among }) =>
        (clusters ?? among).map((cluster) => ({ name, cluster, affinity, shared })),
      )
      .sort((a, b) => `${a.name} ${a.cluster}`.localeCompare(`${b.name} ${b.cluster}`)),
  };
}

const read = (text: string) => {
  const { documents, faults } = parseMeshText({ file: 'mesh.yaml', text }, SCHEMA);
  expect(faults, text).toEqual([]);
  return meant(meshSpecOf(documents as { file: string; line: number; document: MeshDocument }[]).spec);
};

it.each(Object.keys(topologies) as Topology[])(
  'is the same once it is applied and exported, and the second run has nothing to change: %s',
  async (topology) => {
    await fc.assert(
      fc.asyncProperty(specs(topology), async (spec) => {
        const text = meshText(spec);
        const file = (...words: string[]) => meshctl([...words, '-f', '-'], { input: text });
        const applied = await file('apply', '--prune', '--yes', '--parallel', '3');
        expect(applied.exitCode, `${text}\n${applied.stderr}`).toBe(0);
        const again = await file('apply', '--prune', '--yes');
        expect(again.stdout, `${text}\n${again.stderr}`).toContain('Nothing to change');
        const diff = await file('diff');
        expect(diff.exitCode, `${text}\n${diff.stdout}`).toBe(0);
        const { stdout } = await meshctl.ok(['export', '--all']);
        expect(read(stdout), `${text}\n${stdout}`).toEqual(read(text));
        expect((await meshctl(['diff', '-f', '-'], { input: stdout })).exitCode).toBe(0);
        await meshctl.ok(['clustermesh', 'disable', '--context', NAMES.join(','), '--disconnect', '--yes']);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  },
  300_000,
);
