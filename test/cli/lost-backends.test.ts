import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt } from '../support/sandbox-mesh.ts';
import { backendsOf, sharedService } from '../support/shared-service.ts';

/** What dials that end take from global Services is read before anybody agrees to it, whichever command ends them. */
let clusters: ConnectClusters;
const mesh = (...argv: string[]) => clusters.meshctl(['clustermesh', ...argv]);
const CONTEXTS = ['mesh-1', 'mesh-2', 'mesh-3'];

/** A Service in namespace shop, global, with one backend or without any. */
function add(context: string, name: string, hasBackend: boolean, annotations: Record<string, string> = {}): void {
  clusterAt(clusters, context).store.create(sharedService('shop', name, annotations));
  if (hasBackend) addSlice(context, name);
}

/** Its backend. */
function addSlice(context: string, name: string): void {
  clusterAt(clusters, context).store.create(backendsOf('shop', name));
}

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  const joined = await mesh('connect', '--all', '--connection-mode', 'mesh');
  expect(joined.exitCode, joined.stderr).toBe(0);
  for (const context of CONTEXTS) {
    clusterAt(clusters, context).store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    add(context, 'web', context === 'mesh-2');
    add(context, 'api', true);
    add(context, 'db', true, { 'service.cilium.io/affinity': 'local' });
  }
  clusters.requests.length = 0;
});

afterAll(() => clusters.close());

afterEach(() => {
  clusters.fault = undefined;
  clusters.requests.length = 0;
});

/** A kubeconfig with only these contexts, or with some whose cluster does not answer. */
async function kubeconfigOf(name: string, has: readonly string[], dead: readonly string[] = []): Promise<string> {
  const whole = await readFile(clusters.kubeconfigPath, 'utf8');
  const { contexts, ...rest } = parse(whole) as { contexts: { name: string }[] };
  const path = join(dirname(clusters.kubeconfigPath), name);
  const text = stringify({ ...rest, contexts: contexts.filter((one) => has.includes(one.name)) });
  const deaf = dead.reduce((said, one) => said.replace(clusterAt(clusters, one).url, 'http://127.0.0.1:1'), text);
  await writeFile(path, deaf);
  return path;
}

const PART = ['disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
const FAILS = 'requests from mesh-1 for shop/web fail, which no other backends serve';
const hazardsOf = (result: Awaited<ReturnType<typeof mesh>>): Record<string, readonly string[]> => {
  const { clusters: planned } = jsonOf(result) as { clusters: { context: string; hazards?: readonly string[] }[] };
  return Object.fromEntries(planned.flatMap(({ context, hazards }) => (hazards ? [[context, hazards]] : [])));
};

it.each<[argv: string[], input?: string]>([
  [['clustermesh', ...PART]],
  [['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', 'mesh-2']],
  [['clustermesh', 'disable', '--context', 'mesh-2', '--disconnect']],
  [
    ['apply', '-f', '-', '--prune'],
    meshText({ clusters: CONTEXTS.map((name) => ({ name })), topology: { type: 'hub', hubs: ['mesh-3'] } }),
  ],
])('%j does nothing that has come to be while it asked', async (argv, input) => {
  const { store } = clusterAt(clusters, 'mesh-1');
  const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace: 'shop', name: 'api' };
  let standing: unknown;
  const answers = [
    async () => {
      // mesh-1 was about to lose backends for it, and would be left with those of mesh-3 alone.
      store.delete(slice);
      clusterAt(clusters, 'mesh-3').store.delete(slice);
      standing = clusters.objects();
      return 'y';
    },
    'y',
  ];
  const result = await clusters.meshctl(argv, { answers, ...(input === undefined ? {} : { input }) });
  for (const context of ['mesh-1', 'mesh-3']) addSlice(context, 'api');
  expect(standing, result.stderr).toBeDefined();
  expect([result.exitCode, clusters.objects()]).toEqual([1, standing]);
  expect(result.stderr.replaceAll(/\s+/g, ' ')).toMatch(
    /context "mesh-1": requests from mesh-1 for shop\/api, shop\/web fail.*: that was not so when the plan was shown and agreed to → Run the same command again/,
  );
});

describe('disconnect', () => {
  it('names the Services that fail, that lose backends, and that lose those that stand by', async () => {
    expect(hazardsOf(await mesh(...PART, '--dry-run', '-o', 'json'))).toEqual({
      'mesh-1': [
        FAILS,
        'mesh-1 loses the backends of mesh-2 for shop/api',
        'mesh-1 loses the backends of mesh-2 that stand by for shop/db',
      ],
      'mesh-2': [
        'mesh-2 loses the backends of mesh-1 for shop/api',
        'mesh-2 loses the backends of mesh-1 that stand by for shop/db',
      ],
    });
    // What mesh-3 has tells that nothing else serves it; nobody asks more of a cluster than once.
    const lists = clusters.requests.filter(({ verb, resource }) => verb === 'list' && resource === 'services');
    expect(lists.map(({ context }) => context).sort()).toEqual(CONTEXTS);
  });

  it('says it before it asks, and with --yes as it begins', async () => {
    const asked = await clusters.meshctl(['clustermesh', ...PART], { answers: ['no'] });
    expect(asked.stderr.indexOf(`! ${FAILS}`)).toBeGreaterThan(0);
    expect(asked.stderr.indexOf(`! ${FAILS}`)).toBeLessThan(asked.stderr.indexOf('Disconnect these clusters?'));
  });

  it.each([
    ['to which no context leads', ['mesh-1', 'mesh-2'], []],
    ['which does not answer', CONTEXTS, ['mesh-3']],
  ])('counts on no cluster %s, and says so', async (name, has, dead) => {
    const kubeconfig = await kubeconfigOf(`${name}.yaml`.replaceAll(' ', '-'), has, dead);
    const planned = await mesh(...PART, '--dry-run', '-o', 'json', '--kubeconfig', kubeconfig);
    expect(hazardsOf(planned)['mesh-1']).toContain(`${FAILS}, as far as is known without mesh-3`);
  });

  it('counts on a third cluster that serves', async () => {
    add('mesh-3', 'spare', true);
    add('mesh-2', 'spare', true);
    add('mesh-1', 'spare', false);
    const planned = hazardsOf(await mesh(...PART, '--dry-run', '-o', 'json'))['mesh-1'];
    expect(planned).toContain('mesh-1 loses the backends of mesh-2 for shop/api, shop/spare');
    expect(planned).toContain(FAILS);
    for (const context of CONTEXTS) {
      const { store } = clusterAt(clusters, context);
      store.delete({ apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'spare' });
    }
  });

  it('says of a direction only what its own client loses', async () => {
    const planned = await mesh(...PART, '--connection-mode', 'unicast', '--dry-run', '-o', 'json');
    expect(Object.keys(hazardsOf(planned))).toEqual(['mesh-1']);
  });

  it('goes on where Services may not be listed, and says that they were not looked at', async () => {
    clusters.fault = async ({ context, resource, verb }) => {
      const isRefused = context === 'mesh-2' && resource === 'services' && verb === 'list';
      if (isRefused) throw new ApiError(403, 'Forbidden', 'services is forbidden');
      return undefined;
    };
    const planned = await mesh(...PART, '--dry-run', '-o', 'json');
    expect(planned.exitCode, planned.stderr).toBe(0);
    expect(hazardsOf(planned)).toEqual({
      'mesh-1': [
        'requests from mesh-1 for shop/web fail: only mesh-2, which was not read, may have backends for them',
        'mesh-1 loses what backends mesh-2, which was not read, has for shop/api',
      ],
    });
    expect(jsonOf(planned).warnings).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^context "mesh-2": what is lost of its global Services, [^:]* is not known: .* → /),
      ]),
    );
  });

  it('of a cluster that is forgotten by its name reads what it can, and else says what hangs on it', async () => {
    const forget = ['disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '--dry-run', '-o', 'json'];
    expect(hazardsOf(await mesh(...forget))['mesh-1']).toContain(FAILS);
    const kubeconfig = await kubeconfigOf('lone.yaml', ['mesh-1', 'mesh-3']);
    const gone = hazardsOf(await mesh(...forget, '--kubeconfig', kubeconfig));
    expect(gone['mesh-1']).toEqual([
      'requests from mesh-1 for shop/web fail: only mesh-2, which was not read, may have backends for them',
      'mesh-1 loses what backends mesh-2, which was not read, has for shop/api',
    ]);
  });
});

describe('disable', () => {
  const leave = (...more: string[]) => mesh('disable', '--context', 'mesh-2', '--dry-run', '-o', 'json', ...more);

  it('names what its peers lose with --disconnect, and what it loses itself', async () => {
    const hazards = hazardsOf(await leave('--disconnect'));
    expect(Object.keys(hazards).sort()).toEqual(CONTEXTS);
    expect(hazards['mesh-1']).toContain(FAILS);
    expect(hazards['mesh-3']).toContain(FAILS.replaceAll('mesh-1', 'mesh-3'));
    expect(hazards['mesh-2']).toEqual([
      'mesh-2 loses the backends of mesh-1 and mesh-3 for shop/api',
      'mesh-2 loses the backends of mesh-1 and mesh-3 that stand by for shop/db',
    ]);
  });

  it('names the requests that go on to a cluster that has left', async () => {
    const { stdout } = await mesh('disable', '--context', 'mesh-2', '--dry-run');
    for (const who of ['mesh-1', 'mesh-3']) {
      expect(stdout).toContain(`! requests from ${who} for shop/api, shop/web go on to what backends mesh-2 had`);
    }
  });
});

it('apply --prune asks for what clusters lose with the peers that no file has', async () => {
  const text = meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-3' }], topology: { type: 'mesh' } });
  const argv = ['apply', '-f', '-', '--prune', '--dry-run', '-o', 'json'];
  const planned = await clusters.meshctl(argv, { input: text });
  expect(planned.exitCode, planned.stderr).toBe(0);
  expect(hazardsOf(planned)['mesh-1']).toContain(FAILS);
});

it('what was taken stands in the result, and is said as it is done with --yes', async () => {
  const parted = await mesh(...PART, '--yes', '-o', 'json');
  expect(parted.exitCode, parted.stderr).toBe(0);
  expect(parted.stderr).toContain(`⚠ context "mesh-1": ${FAILS}`);
  expect(jsonOf(parted).warnings).toContain(`context "mesh-1": ${FAILS}`);
  // Once it is done nothing more is taken, nor looked for.
  clusters.requests.length = 0;
  const again = await mesh(...PART, '--yes');
  expect(again.exitCode, again.stderr).toBe(0);
  expect(again.stderr).not.toContain('shop/');
  expect(clusters.requests.some(({ verb, resource }) => verb === 'list' && resource === 'services')).toBe(false);
});

it('what is as it was when it was agreed to is carried out', async () => {
  // Those before have parted some of them.
  const joined = await mesh('connect', '--all', '--connection-mode', 'mesh');
  expect(joined.exitCode, joined.stderr).toBe(0);
  const input = meshText({ clusters: CONTEXTS.map((name) => ({ name })), topology: { type: 'hub', hubs: ['mesh-3'] } });
  const parted = await clusters.meshctl(['apply', '-f', '-', '--prune'], { input, answers: ['y', 'y'] });
  expect(parted.exitCode, parted.stderr).toBe(0);
  expect(parted.stdout + parted.stderr).toContain('mesh-1 loses the backends of mesh-2 for shop/api');
});
