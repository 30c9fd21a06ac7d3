import { afterEach, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import {
  type ConnectClusters,
  isMeshWrite,
  type SeenRequest,
  startConnectClusters,
} from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, refs } from '../support/sandbox-mesh.ts';

/** Several clusters leave a mesh, and one of them cannot: of all it is said how far it has come, and with what it goes on. */
let clusters: ConnectClusters;

afterEach(async () => {
  clusters.fault = undefined;
  expect(clusters.errors).toEqual([]);
  await clusters.close();
});

const LEAVING = ['mesh-2', 'mesh-3', 'mesh-4'];
const DISABLE = ['clustermesh', 'disable', '--context', LEAVING.join(','), '--disconnect=false', '--yes'];

const PRUNE = ['apply', '-f', '-', '--prune', '--yes'];
const WITHOUT_LEAVING = meshText({
  clusters: ['mesh-1', 'mesh-5'].map((name) => ({ name })),
  topology: { type: 'mesh' },
});

async function startStar(): Promise<void> {
  clusters = await startConnectClusters(5);
  for (const center of ['mesh-1', 'mesh-5']) {
    const joined = await clusters.meshctl(connect(center, LEAVING.join(',')));
    expect(joined.exitCode, joined.stderr).toBe(0);
  }
  clusters.requests.length = 0;
}

/** Refuses what is written to a cluster. @param where only there @param isMeant which of its writes */
function refuseWrites(where: readonly string[], isMeant: (request: SeenRequest) => boolean = () => true): void {
  clusters.fault = async (request) => {
    const { context, verb, resource } = request;
    if (!where.includes(context) || !isMeshWrite(request) || !isMeant(request)) return undefined;
    const what = `resource "${resource}" in API group "" in the namespace "kube-system"`;
    throw new ApiError(403, 'Forbidden', `${resource} is forbidden: User "ann" cannot ${verb} ${what}`);
  };
}

const detailsOf = (result: CliResult) =>
  (jsonOf(result) as { error?: { details?: Record<string, string[]> } }).error?.details ?? {};

const stands = () =>
  LEAVING.filter((context) => clusterAt(clusters, context).store.get(refs.deployment('clustermesh-apiserver')));

const written = () => clusters.requests.filter((one) => isMeshWrite(one) && !one.dryRun);

it('nothing is removed anywhere where the rights for it are missing in some, and each of those is named', async () => {
  await startStar();
  refuseWrites(['mesh-3', 'mesh-4']);
  const refused = await clusters.meshctl(DISABLE);
  expect(refused.exitCode, refused.stderr).toBe(3);
  expect({ stands: stands(), written: written() }).toEqual({ stands: LEAVING, written: [] });
  for (const context of ['mesh-3', 'mesh-4']) expect(refused.stderr).toContain(`context "${context}": cannot`);
  // Whoever types what is printed would cut connections that work.
  expect(refused.stderr).not.toMatch(/still dial|clustermesh disconnect/);
  const json = await clusters.meshctl([...DISABLE, '-o', 'json']);
  expect(detailsOf(json)).toMatchObject({ disabled: [], failed: ['mesh-3', 'mesh-4'], notBegun: ['mesh-2'] });
  expect(refused.stderr).toMatch(
    /Nothing was removed\. Without mesh-3 and mesh-4\s+→ meshctl clustermesh disable --disconnect=false --yes --context mesh-2/,
  );
  clusters.requests.length = 0;
  refuseWrites(['mesh-4'], ({ verb }) => verb === 'delete');
  const pruned = await clusters.meshctl(PRUNE, { input: WITHOUT_LEAVING });
  expect(pruned.exitCode, pruned.stderr).toBe(3);
  expect({ stands: stands(), written: written() }).toEqual({ stands: LEAVING, written: [] });
});

it.each(LEAVING)(
  'once %s has failed, each is done, has failed or was not begun, and one command continues',
  async (at) => {
    await startStar();
    refuseWrites([at], ({ dryRun, verb }) => !dryRun && verb !== 'create');
    const stopped = await clusters.meshctl([...DISABLE, '-o', 'json']);
    const k = LEAVING.indexOf(at);
    const [disabled, notBegun] = [LEAVING.slice(0, k), LEAVING.slice(k + 1)];
    expect(detailsOf(stopped)).toMatchObject({ disabled, failed: [at], notBegun });
    expect(stands()).toEqual(LEAVING.slice(k));
    const says = stopped.stderr.replace(/\s+/g, ' ');
    for (const context of notBegun) expect(says).toMatch(new RegExp(`Not begun: [^→]*${context}`));
    expect(says).toContain(`--disconnect=false --yes --context ${LEAVING.slice(k).join(',')}`);
    // Of those that go on dialling, once and only for what has gone.
    const still = says.match(/2 clusters still dial [^→]* →/g) ?? [];
    expect(still).toHaveLength(disabled.length > 0 ? 1 : 0);
    for (const name of LEAVING) expect(still.join().includes(`"${name}"`)).toBe(disabled.includes(name));
    clusters.fault = undefined;
    const rest = await clusters.meshctl([...DISABLE.with(3, LEAVING.slice(k).join(',')), '-o', 'json']);
    expect(rest.exitCode, rest.stderr).toBe(0);
    expect(jsonOf(rest).verified).toBe(true);
    expect(stands()).toEqual([]);
  },
);

it('apply --prune says of each that leaves how far it has come', async () => {
  await startStar();
  refuseWrites(['mesh-3'], ({ dryRun, verb }) => !dryRun && verb === 'delete');
  const stopped = await clusters.meshctl([...PRUNE, '-o', 'json'], { input: WITHOUT_LEAVING });
  const { disabled, failed, notBegun } = detailsOf(stopped);
  expect(failed).toEqual(['mesh-3']);
  expect([...(disabled ?? []), ...(failed ?? []), ...(notBegun ?? [])].sort()).toEqual(LEAVING);
  expect(stopped.stderr).toMatch(/meshctl clustermesh disable --context mesh-3,mesh-4/);
});
