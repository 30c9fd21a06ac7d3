import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { agentDaemonSetRef } from '../../src/mesh/objects/names.ts';
import { MANAGED_BY } from '../../src/mesh/objects/ownership.ts';
import { workloadSpec } from '../../src/mesh/objects/workload.ts';
import { FIELD_MANAGER } from '../../src/mesh/plan/plan.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf, runCli } from '../support/cli.ts';
import { connect } from '../support/e2e-cli.ts';
import { handOverAsPrinted } from '../support/hand-over.ts';
import { asChart, helmApplies, withImage } from '../support/helm-apply.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** Helm 4 has installed Cilium in mesh-1: it applies what is of its release server-side. Both clusters are meshctl's, and connected. */
let sandbox: TestSandbox;
let directory: string;
let one: SandboxCluster;
const deployment = refs.deployment('clustermesh-apiserver');
const here = (ref: Parameters<typeof one.store.get>[0]) => found(one.store.get(ref), ref.name);

/** `helm upgrade` in the release's own pipeline, by which each of these objects comes out as it is, or as it is given here. */
const upgrade = (objects: readonly KubeObject[], force = false) => {
  for (const object of objects) helmApplies(one, object, force);
};
const managersOf = (ref: Parameters<typeof one.store.get>[0]) =>
  (here(ref).metadata.managedFields ?? []).map(({ manager }) => manager);

const meshctl = (argv: readonly string[], answers?: string[]) =>
  runCli(argv, {
    env: { KUBECONFIG: sandbox.kubeconfigPath, PATH: [directory, dirname('/bin/sh')].join(delimiter) },
    cwd: directory,
    ...(answers ? { answers } : {}),
  });
const enable = (...words: string[]) => meshctl(['clustermesh', 'enable', '--context', 'mesh-1', ...words]);

/** Runs meshctl with a `helm` that does so to what is there. */
async function withHelm<T>(run: () => Promise<T>, helm: () => void): Promise<T> {
  const [begun, on] = [join(directory, 'begun'), join(directory, 'on')];
  await rm(begun, { force: true });
  await rm(on, { force: true });
  await execa('mkfifo', [on]);
  const running = run();
  await expect.poll(() => existsSync(begun)).toBe(true);
  try {
    helm();
  } finally {
    await writeFile(on, 'on\n');
  }
  return running;
}

/** What the chart makes of the mesh: what has been handed over to Helm. */
const ofChart = () =>
  [
    ['apps/v1', 'Deployment'],
    ['v1', 'Service'],
    ['v1', 'ServiceAccount'],
    ['v1', 'Secret'],
    ['v1', 'ConfigMap'],
    ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
    ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  ].flatMap(([apiVersion = '', kind = '']) => one.store.list({ apiVersion, kind, labels: { [MANAGED_BY]: 'Helm' } }));

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshctl-helm-'));
  const script = `#!/bin/sh\ncat > /dev/null\n: > ${join(directory, 'begun')}\nread -r _ < ${join(directory, 'on')}\n`;
  await writeFile(join(directory, 'helm'), script);
  await chmod(join(directory, 'helm'), 0o755);
  sandbox = await startTestSandbox({ nodes: 1, clusters: [{ provider: 'aws' }, {}] });
  one = found(sandbox.clusters[0], 'mesh-1');
  for (const argv of [['clustermesh', 'enable', '--context', 'mesh-1,mesh-2'], connect('mesh-1', 'mesh-2')]) {
    const result = await meshctl(argv);
    expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  }
  upgrade([asChart(here(agentDaemonSetRef('kube-system')))], true);
});

afterAll(async () => {
  await sandbox.close();
  await rm(directory, { recursive: true });
});

describe('a mesh that is handed over to a Helm which applies server-side', () => {
  it('is said to need force, also by a dry run, and is then without fields of meshctl', async () => {
    const refused = await enable('--via-helm');
    expect(refused.exitCode).toBe(1);
    handOverAsPrinted(one, refused.stderr);
    const dry = await enable('--via-helm', '--dry-run');
    expect(dry.stdout).toMatch(/and update Deployment \S+ \(gives its fields to Helm release cilium\)/);
    expect(dry.stderr.replaceAll(/\s+/g, ' ')).toMatch(
      /only by force.*enable --context mesh-1 --via-helm --dry-run --force-conflicts/,
    );
    const asJson = jsonOf(await enable('--via-helm', '--dry-run', '-o', 'json')) as { warnings: string[] };
    expect(asJson.warnings.join()).toMatch(/only by force/);

    const spec = workloadSpec(here(deployment));
    const run = await withHelm(
      () => enable('--via-helm', '--force-conflicts', '--yes'),
      () => upgrade(ofChart().map(asChart), true),
    );
    expect(run.exitCode, run.stderr).toBe(0);
    expect(workloadSpec(here(deployment))).toEqual(spec);
    const shown = jsonOf(await enable('--via-helm', '--force-conflicts', '--dry-run', '-o', 'json')) as {
      clusters: { steps: unknown[] }[];
    };
    expect(shown.clusters[0]?.steps).toEqual([]);
    const values = await meshctl(['clustermesh', 'helm-values', '--context', 'mesh-1']);
    expect(values.stdout).toContain('aws-load-balancer-scheme: internal');
    expect(values.stdout).not.toMatch(/--force-conflicts|meta\.helm\.sh/);
  });

  it('is changed by later upgrades of Helm without force', () => {
    const made = ofChart().map(asChart);
    upgrade([withImage(here(deployment), 'example/other:1')]);
    upgrade(made);
    expect(workloadSpec(here(deployment)).template?.metadata?.annotations?.['meshctl.io/ca']).toBeDefined();
  });

  it('has the peers that connect wrote still as meshctl wrote them', () => {
    for (const ref of [refs.secret('cilium-kvstoremesh'), refs.configMap('clustermesh-remote-users')])
      expect(managersOf(ref)).toContain(FIELD_MANAGER);
  });
});

describe('a mesh that such a Helm makes', () => {
  const more = ['--replicas', '2', '--force-conflicts'];
  const words = (text: string) => text.replaceAll(/\s+/g, ' ');

  it('is changed by enable only once it is agreed that later upgrades are refused', async () => {
    const { spec } = here(deployment);
    const asked = await meshctl(['clustermesh', 'enable', '--context', 'mesh-1', ...more], ['n']);
    expect(asked.exitCode).toBe(1);
    expect(words(asked.stderr)).toMatch(
      /later upgrades of Helm release cilium are refused for conflicts with "meshctl", unless they have --force-conflicts/,
    );
    expect(words(asked.stderr)).toMatch(
      /applies .*Deployment kube-system\/clustermesh-apiserver.* server-side.*or let Helm do it instead: meshctl clustermesh enable --context mesh-1 --replicas 2 --force-conflicts --via-helm/,
    );
    expect(asked.stderr).not.toContain('next sync');
    expect(here(deployment).spec).toEqual(spec);
    const run = await enable(...more, '--yes');
    expect(run.exitCode, run.stderr).toBe(0);
    expect(() => upgrade([withImage(here(deployment), 'example/other:2')])).toThrow(/conflicts? with "meshctl"/);
  });

  it('is told by check, whose hint, typed, ends it', async () => {
    const managers = async () => {
      const argv = ['clustermesh', 'check', '--context', 'mesh-1', '--category', 'ownership', '-o', 'json'];
      const { checks } = jsonOf(await meshctl(argv)) as { checks: { id: string }[] };
      return JSON.stringify(checks.filter(({ id }) => id === 'ownership-managers'));
    };
    const told = await managers();
    expect(told).toMatch(/an upgrade that makes these otherwise is refused.*Deployment/);
    const hint = /meshctl (clustermesh enable --context mesh-1 --via-helm --force-conflicts)/.exec(told);
    const argv = found(hint?.[1], 'the hint').split(' ');
    const run = await withHelm(
      () => meshctl([...argv, '--yes']),
      () => upgrade(ofChart().map(asChart), true),
    );
    expect(run.exitCode, run.stderr).toBe(0);
    const made = ofChart().map(asChart);
    upgrade([withImage(here(deployment), 'example/other:2')]);
    upgrade(made);
    expect(await managers()).not.toContain('is refused');
  });
});
