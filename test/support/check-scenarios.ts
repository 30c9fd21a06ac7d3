import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import type { Severity } from '../../src/mesh/checks/shared/check.ts';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster, SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from './cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from './e2e-cli.ts';
import { lookByChecks, untilHealthy } from './open-look.ts';
import { eventually, found, startTestSandbox, type TestSandbox } from './sandbox-mesh.ts';

/** Checks that never say more than a warning. */
const WARN_AT_WORST = [
  'agents-placed',
  'encryption',
  'policy-default-local-cluster',
  'global-namespaces',
  'mcs-api',
  'wireguard-of-nodes',
  'service-reachable',
  'source-ranges',
  'peer-secret-room',
  'native-routing-cidr',
  'service-address-overlap',
  'bgp-pod-cidrs',
  'apiserver-private',
  'operator-running',
  'settings-running',
  'tls-orphaned-users',
  'tls-rotation',
  'peers-itself',
  'peers-unused-keys',
  'ownership-drift',
  'ownership-managers',
  'ownership-peers',
];

const CONTEXTS = 'mesh-1,mesh-2';

/** A running sandbox to break things in. mesh-1 and mesh-2 are checked; mesh-3 is there to take things from. */
export interface CheckMesh {
  sandbox: TestSandbox;
  meshctl: Meshctl;
  one: SandboxCluster;
  two: SandboxCluster;
  three: SandboxCluster;
}

export type Undo = () => unknown;

/** A change to a mesh that is well, which one check must find. */
export interface CheckScenario {
  /** In words: what is wrong. */
  when: string;
  severity: 'warn' | 'fail';
  /** Where else to look than at mesh-1 and mesh-2. */
  contexts?: string;
  /** Context that the finding names; absent where it is about several. */
  cluster?: string;
  /** Other facts of the finding. */
  args?: Record<string, unknown>;
  /** Does it and gives the way back. Absent where looking at other contexts is enough. */
  change?: (mesh: CheckMesh) => Undo | Promise<Undo>;
}

/** By check id. */
export type CheckScenarios = Readonly<Record<string, readonly CheckScenario[]>>;

export interface CheckSetup {
  /** How far the mesh is up before anything is broken. */
  state: 'installed' | 'enabled' | 'connected';
  options?: SandboxOptions;
}

export interface CheckEntry {
  id: string;
  severity: Severity;
  cluster?: string;
  args: Record<string, unknown>;
  message?: string;
  hint?: string;
}

/** The entries of `clustermesh check -o json`. */
export async function checkEntries(meshctl: Meshctl, contexts: string, ...flags: string[]): Promise<CheckEntry[]> {
  return jsonOf(await meshctl(['clustermesh', 'check', '--context', contexts, '-o', 'json', ...flags]))
    .checks as CheckEntry[];
}

/** Starts a sandbox of three clusters, of which two are enabled or connected as far as the setup says. */
export async function startCheckMesh({ state, options = {} }: CheckSetup): Promise<CheckMesh> {
  const sandbox = await startTestSandbox({ clusters: 3, nodes: 1, ...options });
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  const [one, two, three] = sandbox.clusters.map((cluster) => found(cluster, 'a cluster'));
  if (state !== 'installed') await meshctl.ok(enable(CONTEXTS));
  if (state === 'connected') {
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
  }
  return { sandbox, meshctl, one: found(one, 'mesh-1'), two: found(two, 'mesh-2'), three: found(three, 'mesh-3') };
}

/**
 * Tests of a category, generated from the catalogue: each of its checks finds nothing wrong in a mesh that is well, finds
 * what each of its scenarios breaks, and nothing again when that is mended. A check without a scenario for the worst that it can
 * say fails.
 */
export function checkScenarios(category: string, setup: CheckSetup, scenarios: CheckScenarios): void {
  const checks = MESH_CHECKS.filter((check) => check.category === category);
  let mesh: CheckMesh;
  beforeAll(async () => {
    mesh = await startCheckMesh(setup);
  });
  afterAll(() => mesh.sandbox.close());

  const look = async (id: string, contexts = CONTEXTS) =>
    (await lookByChecks(mesh.sandbox, contexts.split(','), [category])).filter((entry) => entry.id === id);

  it(`all ${category} checks find nothing wrong in a mesh that is well`, async () => {
    const entries = await checkEntries(mesh.meshctl, CONTEXTS, '--category', category);
    expect([...new Set(entries.map(({ id }) => id))]).toEqual(checks.map(({ id }) => id));
    // What is not looked at is so for its reason, e.g. NodePorts where there are load balancers.
    expect(entries.filter(({ severity, message }) => severity !== 'pass' && !(severity === 'skip' && message))).toEqual(
      [],
    );
  });

  it('no scenario is for a check that there is not', () => {
    const ids = checks.map(({ id }) => id);
    expect(Object.keys(scenarios).filter((id) => !ids.includes(id))).toEqual([]);
  });

  for (const { id } of checks) {
    const own = scenarios[id] ?? [];
    describe(id, () => {
      it('has a scenario for the worst that it can say', () => {
        expect(own.map(({ severity }) => severity)).toContain(WARN_AT_WORST.includes(id) ? 'warn' : 'fail');
      });
      it.each(own.map((scenario) => [`${scenario.severity}: ${scenario.when}`, scenario] as const))(
        '%s',
        async (_title, { severity, contexts, cluster, args, change }) => {
          const undo = await change?.(mesh);
          const wanted = { severity, ...(cluster !== undefined && { cluster }), ...(args && { args }) };
          try {
            const seen = await eventually(
              () => look(id, contexts),
              (entries) => entries.some((entry) => entry.severity === severity),
              `${id} says ${severity}`,
            );
            expect(seen.find((entry) => entry.severity === severity)).toMatchObject(wanted);
            expect(seen.every((entry) => entry.severity === 'pass' || entry.message)).toBe(true);
            // Of connect, accept and apply, which say of it themselves.
            expect(seen.filter(({ hint }) => hint?.includes('--skip-checks'))).toEqual([]);
          } finally {
            await undo?.();
          }
          const isWell = (entries: readonly { severity: Severity }[]) =>
            entries.every((entry) => entry.severity === 'pass' || entry.severity === 'skip');
          await eventually(() => look(id), isWell, `${id} is well again`);
        },
      );
    });
  }
}

/** Nothing goes through between mesh-1 and mesh-2. */
export function cutLink({ sandbox }: Pick<CheckMesh, 'sandbox'>): Undo {
  sandbox.network.cutLink('mesh-1', 'mesh-2');
  return () => sandbox.network.mendLink('mesh-1', 'mesh-2');
}

/** Remembers an object; the result writes it back as it was. */
export function restorerOf(cluster: SandboxCluster, ref: ObjectRef): Undo {
  const { apiVersion, kind, metadata, status, ...content } = found(cluster.store.get(ref), ref.name);
  return () =>
    cluster.store.update(ref, (object) => {
      if (metadata.annotations) object.metadata.annotations = metadata.annotations;
      else delete object.metadata.annotations;
      for (const key of Object.keys(object)) {
        if (!['apiVersion', 'kind', 'metadata', 'status'].includes(key)) delete object[key];
      }
      Object.assign(object, content);
    });
}

/** Changes an object in place; the result writes it back as it was. */
export function edit(
  cluster: SandboxCluster,
  ref: ObjectRef,
  change: (object: KubeObject) => void,
  manager?: string,
): Undo {
  const undo = restorerOf(cluster, ref);
  cluster.store.update(ref, change, manager);
  return undo;
}

/** Sets keys of a cluster's ConfigMap cilium-config; undefined removes one. */
export function configure(cluster: SandboxCluster, settings: Record<string, string | undefined>): Undo {
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' };
  return edit(cluster, ref, (object) => {
    const data = { ...(object.data as Record<string, string>), ...settings };
    object.data = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));
  });
}
