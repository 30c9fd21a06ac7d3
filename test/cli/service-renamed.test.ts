import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { untilHealthy } from '../support/open-look.ts';
import { refs } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';
import { addService } from '../support/service-clusters.ts';

/** A cluster of which only cilium-config has another name by now is there: a context of it was given. */
let mesh: ConnectedMesh;

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 });
  for (const { store } of mesh.sandbox.clusters) addService(store, 'web', { ready: 1 });
  await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
  mesh.two.store.update(refs.configMap('cilium-config'), (config) => {
    config.data = { ...(config.data as object), 'cluster-name': 'anew' };
  });
});

afterAll(() => mesh.sandbox.close());

it.each([['list'], ['describe', 'default/web'], ['failover']])('service %s', async (...words) => {
  const argv = ['service', ...words, '--context', 'mesh-1,mesh-2'];
  const { stdout } = await mesh.meshctl(argv);
  const says = stdout.replaceAll(/\s+/g, ' ');
  expect(says).not.toContain('no context was given');
  expect(says).toContain(
    'mesh-1 is connected to mesh-2, which is the cluster of context "mesh-2": it was started with that name, and its cilium-config says anew by now: not counted',
  );
  const document = jsonOf(await mesh.meshctl([...argv, '-o', 'json']));
  requireValid(document);
  const clusters = document.clusters as { context: string; runsAs?: string }[];
  expect(clusters.map(({ context, runsAs }) => [context, runsAs])).toEqual([
    ['mesh-1', undefined],
    ['mesh-2', 'mesh-2'],
  ]);
  // What it leads to has the way back.
  const [look = ''] = /meshctl clustermesh check [^\n]*/.exec(stdout) ?? [];
  const checked = await mesh.meshctl(look.trim().split(' ').slice(1));
  expect(checked.stdout).toContain('"cluster-name":"mesh-2"');
});
