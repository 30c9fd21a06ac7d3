import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, type SeenRequest, startBareClusters } from '../support/connect-clusters.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, refs } from '../support/sandbox-mesh.ts';

/** A run of `apply --prune` that is killed (kill -9) after any of its writes: nothing of it is said, or taken back. */
let clusters: ConnectClusters;

const fileOf = (...names: string[]) =>
  meshText({ clusters: names.map((name) => ({ name })), topology: { type: 'mesh' } });
/** The first writes part the clusters; of the deletions after them, so many are one step. */
const DENSE = 6;
const EVERY = Number(process.env.KILLED_EVERY ?? 4);

const BOTH = fileOf('mesh-1', 'mesh-2');
const LESS = fileOf('mesh-1');
const apply = (input: string, ...more: string[]) => clusters.meshctl(['apply', '-f', '-', ...more], { input });
const ok = async (input: string, ...more: string[]) => {
  const result = await apply(input, ...more);
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  return result;
};
const store = (context: string) => clusterAt(clusters, context).store;

/** Writes to what a mesh is made of; a nudge of a pod may be lost. */
const isWrite = ({ verb, resource, dryRun }: SeenRequest) =>
  !dryRun &&
  ['create', 'patch', 'update', 'delete'].includes(verb) &&
  !/leases|pods|portforward|exec|reviews/.test(resource);

/** What is in the clusters for the mesh, without what each run makes anew. */
function standing(): string[] {
  const kinds = [
    ['v1', 'Secret'],
    ['v1', 'ConfigMap'],
    ['v1', 'Service'],
    ['v1', 'ServiceAccount'],
    ['apps/v1', 'Deployment'],
    ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
    ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  ] as const;
  return ['mesh-1', 'mesh-2'].flatMap((context) =>
    kinds.flatMap(([apiVersion, kind]) =>
      store(context)
        .list({ apiVersion, kind })
        .map(({ metadata, data = {} }) => {
          const marks = Object.keys(metadata.annotations ?? {}).sort();
          return `${context} ${kind}/${metadata.name} ${Object.keys(data as object).sort()} ${marks}`;
        }),
    ),
  );
}

/** Everything fails from the write on that is one too many, as for a process that is no more. */
function killAfter(writes: number): { isKilled(): boolean } {
  let left = writes;
  let killed = false;
  clusters.fault = async (request) => {
    killed ||= isWrite(request) && left-- === 0;
    if (killed) throw new ApiError(403, 'Forbidden', 'nobody is there any more');
    return undefined;
  };
  return { isKilled: () => killed };
}

beforeAll(async () => {
  clusters = await startBareClusters(2);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

it('a later run goes on to the same end, after whichever write it was killed', async () => {
  await ok(BOTH, '--yes');
  await ok(LESS, '--prune', '--yes');
  const end = standing();
  let parted = 0;
  for (let writes = 1; ; writes += writes < DENSE ? 1 : EVERY) {
    await ok(BOTH, '--yes');
    const cut = killAfter(writes);
    await apply(LESS, '--prune', '--yes');
    clusters.fault = undefined;
    if (!cut.isKilled()) break;
    if (store('mesh-1').get(refs.secret('cilium-clustermesh'))?.metadata.annotations?.['meshctl.io/leaving.mesh-2'])
      parted += 1;
    await ok(LESS, '--prune', '--yes');
    expect(standing(), `killed after ${writes} writes`).toEqual(end);
    expect((await ok(LESS, '--prune', '--yes')).stdout).toContain('Nothing to change');
  }
  // Otherwise it was the peers that told the later run.
  expect(parted).toBeGreaterThan(2);
});

const mark = () =>
  store('mesh-1').get(refs.secret('cilium-clustermesh'))?.metadata.annotations?.['meshctl.io/leaving.mesh-2'];

/** What the other objects of mesh-2 go before stays. */
function refuseDeployment(): void {
  clusters.fault = async ({ context, verb, resource, dryRun }) => {
    if (context === 'mesh-2' && verb === 'delete' && resource === 'deployments' && !dryRun)
      throw new ApiError(403, 'Forbidden', 'no');
    return undefined;
  };
}

it('a cluster that was enabled anew since, or has a place in the files again, is not meant', async () => {
  await ok(BOTH, '--yes');
  refuseDeployment();
  const stopped = await apply(LESS, '--prune', '--yes');
  clusters.fault = undefined;
  expect(stopped.exitCode).toBe(1);
  const uid = store('mesh-2').get(refs.deployment('clustermesh-apiserver'))?.metadata.uid;
  expect(mark()).toMatch(new RegExp(`^${uid}/`));
  const told = jsonOf(await ok(LESS, '-o', 'json'));
  expect(told.warnings).toEqual([expect.stringContaining('"mesh-2" was disconnected by an apply --prune that did')]);
  const compared = await clusters.meshctl(['diff', '-f', '-'], { input: LESS });
  expect(compared.exitCode, compared.stdout).toBe(1);
  expect(compared.stdout).toContain('mesh-2 was disconnected by an apply --prune that did not come to its end');
  expect(compared.stdout.replaceAll(/\s+/g, ' ')).toMatch(/1 thing that no file has\. .*--prune/);

  const enabling = ['clustermesh', 'enable', '--context', 'mesh-2'];
  expect((await clusters.meshctl(['clustermesh', 'disable', '--context', 'mesh-2', '--yes'])).exitCode).toBe(0);
  expect((await clusters.meshctl(enabling)).exitCode).toBe(0);
  const kept = await ok(LESS, '--prune', '--yes');
  expect(kept.stdout).not.toContain('Disabled');
  expect(store('mesh-2').get(refs.deployment('clustermesh-apiserver'))).toBeDefined();
  expect(mark()).toBeUndefined();
});

it('a cluster that enable has repaired since is not meant, although its Deployment is the same', async () => {
  await ok(BOTH, '--yes');
  refuseDeployment();
  expect((await apply(LESS, '--prune', '--yes')).exitCode).toBe(1);
  clusters.fault = undefined;
  const uid = () => store('mesh-2').get(refs.deployment('clustermesh-apiserver'))?.metadata.uid;
  const before = uid();
  expect((await clusters.meshctl(['clustermesh', 'enable', '--context', 'mesh-2', '--yes'])).exitCode).toBe(0);
  expect(uid()).toBe(before);
  const kept = await ok(LESS, '--prune', '--yes');
  expect(kept.stdout).not.toContain('Disabled');
  expect(uid()).toBe(before);
  expect(mark()).toBeUndefined();
});

it.each([
  [
    'connect',
    () =>
      clusters.meshctl(['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes']),
  ],
  ['an apply of a file that has it', () => apply(BOTH, '--yes')],
])('%s takes the mark of a cluster away that it connects again', async (_what, connecting) => {
  await ok(BOTH, '--yes');
  refuseDeployment();
  expect((await apply(LESS, '--prune', '--yes')).exitCode).toBe(1);
  clusters.fault = undefined;
  expect(mark()).toBeDefined();
  expect((await clusters.meshctl(['clustermesh', 'enable', '--context', 'mesh-2', '--yes'])).exitCode).toBe(0);
  const result = await connecting();
  expect(result.exitCode, result.stderr).toBe(0);
  expect(mark()).toBeUndefined();
});

it('nothing is said of the mark of a cluster that is in the files again', async () => {
  await ok(BOTH, '--yes');
  refuseDeployment();
  expect((await apply(LESS, '--prune', '--yes')).exitCode).toBe(1);
  clusters.fault = undefined;
  const apart = meshText({
    clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }],
    topology: { type: 'pairs', pairs: [] },
  });
  await ok(apart, '--yes');
  expect((await ok(apart)).stderr).not.toContain('did not come to its end');
});
