import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { CERTIFICATE_SECRETS } from '../../src/mesh/certificates/cluster-certificates.ts';
import type { AccessRule } from '../../src/mesh/objects/access-rules.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { CA_SECRET } from '../../src/mesh/objects/names.ts';
import { PEER_SECRETS } from '../../src/mesh/peers/peers.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

/** The jobs that the package ships for a mesh that looks after itself, run with their accounts' rights and nothing else. */
const FOLDER = new URL('templates/in-cluster/', PACKAGE_ROOT);

interface CronJob extends KubeObject {
  spec: {
    jobTemplate: {
      spec: { template: { spec: { serviceAccountName: string; containers: { command: string[]; args: string[] }[] } } };
    };
  };
}
interface Kubeconfig {
  contexts: { name: string }[];
}

const documents = async (name: string): Promise<KubeObject[]> =>
  parseAllDocuments(await readFile(new URL(name, FOLDER), 'utf8')).map((document) => document.toJS() as KubeObject);

let sandbox: TestSandbox;
let folder: string;
let jobs: CronJob[];

/** What a job runs, as its account; its files are where it has them. */
async function run(
  name: string,
  changed: Readonly<Record<string, string>> = {},
  instead?: readonly string[],
): Promise<CliResult> {
  const job = found(
    jobs.find(({ metadata }) => metadata.name === name),
    name,
  );
  const { serviceAccountName, containers } = job.spec.jobTemplate.spec.template.spec;
  const args = (instead ?? found(containers[0], 'container').args).map(
    (arg) => changed[arg] ?? arg.replace('/etc/meshctl', folder),
  );
  const as = ['--as', `system:serviceaccount:${job.metadata.namespace}:${serviceAccountName}`];
  return runCli([...args, ...as, '--as-group', 'system:serviceaccounts'], {
    env: { KUBECONFIG: join(folder, 'kubeconfig') },
  });
}

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, proxied: false });
  folder = await mkdtemp(join(tmpdir(), 'meshctl-in-cluster-'));
  jobs = (await documents('3-jobs.yaml')) as CronJob[];
  const [files] = await documents('2-mesh.yaml');
  const { data } = files as KubeObject & { data: Record<string, string> };
  await writeFile(join(folder, 'mesh.yaml'), found(data['mesh.yaml'], 'mesh.yaml'));
  // In a pod, the first file of KUBECONFIG is the ConfigMap's: here its context leads to a cluster of the sandbox.
  const own = parse(found(data.kubeconfig, 'kubeconfig')) as Kubeconfig;
  const config = parse(await readFile(sandbox.kubeconfigPath, 'utf8')) as Kubeconfig;
  found(config.contexts[0], 'context').name = found(own.contexts[0], 'context').name;
  await writeFile(join(folder, 'kubeconfig'), stringify(config));
  for (const { store } of sandbox.clusters) {
    for (const object of await documents('1-rights.yaml')) store.create(object);
  }
  const joined = await runCli(['apply', '-f', join(folder, 'mesh.yaml'), '--yes'], {
    env: { KUBECONFIG: join(folder, 'kubeconfig') },
  });
  expect(joined.exitCode, joined.stderr).toBe(0);
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

describe('the jobs in a cluster', () => {
  it('run the version that they are shipped with', async () => {
    const { version } = parse(await readFile(new URL('package.json', PACKAGE_ROOT), 'utf8')) as { version: string };
    for (const { spec } of jobs) {
      expect(spec.jobTemplate.spec.template.spec.containers[0]?.command.at(-1)).toBe(`meshctl@${version}`);
    }
  });

  it('diff: nothing, then what somebody changed, with the right to read only', async () => {
    const none = await run('meshctl-diff');
    expect(none.stderr).not.toMatch(/forbidden|may not/i);
    expect(none, none.stderr).toMatchObject({ exitCode: 0 });
    const { store } = found(sandbox.clusters[1], 'mesh-2');
    const scale = (replicas: number) =>
      store.update(
        refs.deployment('clustermesh-apiserver'),
        (deployment) => void Object.assign(deployment.spec as object, { replicas }),
        'kubectl',
      );
    scale(2);
    const one = await run('meshctl-diff');
    scale(1);
    expect(one).toMatchObject({ exitCode: 1 });
    expect(one.stdout).toContain('spec.replicas: 2 → 1');
  });

  it('rotate: nothing is old; what is, is renewed', async () => {
    const none = await run('meshctl-rotate');
    expect(none.stderr).not.toMatch(/forbidden|may not/i);
    expect(none, none.stderr).toMatchObject({ exitCode: 0 });
    expect(none.stdout).toContain('No certificate was due');
    const all = await run('meshctl-rotate', { '30d': '0s' });
    expect(all.stderr).not.toMatch(/forbidden|may not/i);
    expect(all, all.stderr).toMatchObject({ exitCode: 0 });
    expect(all.stdout).toMatch(/Renewed 10 certificates/);
  });

  it('may do nothing else', async () => {
    const roles = (await documents('1-rights.yaml')) as (KubeObject & { rules?: AccessRule[] })[];
    const ofSecrets = roles.flatMap(({ rules = [] }) => rules.filter(({ resources }) => resources.includes('secrets')));
    expect(ofSecrets).toHaveLength(2);
    for (const { verbs, resourceNames = [] } of ofSecrets) {
      expect(resourceNames).toEqual(expect.arrayContaining([...PEER_SECRETS, CA_SECRET, ...CERTIFICATE_SECRETS]));
      expect(verbs).not.toContain('list');
    }
    for (const name of ['meshctl-diff', 'meshctl-rotate']) {
      const { exitCode } = await run(name, {}, [
        'clustermesh',
        'disable',
        '--context',
        'mesh-2',
        '--disconnect',
        '--yes',
      ]);
      expect(exitCode).toBe(3);
    }
  });
});
