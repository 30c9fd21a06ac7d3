/** What is made of packets of which nobody saw whether they arrive. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ProbeReport } from '../../src/mesh/probe/report.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
const PROBE = ['connectivity', 'probe', '--context', 'mesh-1,mesh-2'];
const JOIN = [...connect('mesh-1', 'mesh-2'), '--probe'];

/** Which of the probe's pods, by the number in its name, do not let their watch be collected. */
let uncollected: (pod: number) => boolean = () => false;
/** Which of them let nothing be run at all. */
let isMute: (pod: number) => boolean = () => false;
let arePodsRefused = false;
/** How often something was run in each pod: its watch, what it sends, and what it saw. */
const runs = new Map<string, number>();

beforeAll(async () => {
  sandbox = await startTestSandbox({
    nodes: 2,
    async intercept(context, { verb, resource, subresource, name = '' }) {
      if (arePodsRefused && verb === 'create' && resource === 'pods' && !subresource)
        throw new ApiError(403, 'Forbidden', 'pods "probe" is forbidden: violates PodSecurity "restricted:latest"');
      const [, number] = /^probe-\w+-(\d)$/.exec(name) ?? [];
      if (subresource !== 'exec' || context !== 'mesh-2' || number === undefined) return undefined;
      if (isMute(Number(number))) throw new ApiError(403, 'Forbidden', 'not in this pod');
      runs.set(name, (runs.get(name) ?? 0) + 1);
      if (runs.get(name) === 3 && uncollected(Number(number))) throw new ApiError(403, 'Forbidden', 'not any more');
      return undefined;
    },
  });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
});

afterAll(() => sandbox?.close());

it('a tunnel that nobody saw is not proved, and nothing is connected over it', async () => {
  await meshctl.ok(['sandbox', 'break', 'drop:mesh-1>mesh-2:udp/8472']);
  uncollected = () => true;
  const probed = await meshctl([...PROBE, '-o', 'json']);
  const { passed, failures, untested } = jsonOf(probed) as unknown as ProbeReport;
  expect({ exitCode: probed.exitCode, passed, failures }).toEqual({ exitCode: 3, passed: false, failures: [] });
  expect(untested.map(({ from, to, kinds }) => ({ from, to, kinds }))).toEqual(
    Array.from({ length: 2 }, () => ({ from: 'mesh-1', to: 'mesh-2', kinds: ['tunnel', 'mtu'] })),
  );
  for (const { why } of untested)
    expect(why).toMatch(/nothing is known of what mesh-2-node-\d saw: .*may not get or create pods\/exec/);
  const text = await meshctl(PROBE);
  expect(text.stdout).toMatch(
    /⚠️ {2}The network .* is not proved; not tested: tunnel, mtu from mesh-1 to mesh-2 → meshctl connectivity probe .* -o wide\n$/,
  );
  const versions = () => sandbox.clusters.map(({ store }) => store.list({ apiVersion: 'v1', kind: 'Secret' }));
  const before = versions();
  const { exitCode, stderr } = await meshctl(JOIN);
  // Nothing is known to be wrong, for the one command as for the other.
  expect(exitCode).toBe(probed.exitCode);
  expect(stderr).toMatch(
    /nothing was changed: the network is not proved: not tested from mesh-1 to mesh-2: tunnel, mtu: .*may not get or create pods\/exec/,
  );
  expect(versions()).toEqual(before);
  await meshctl.ok(['sandbox', 'mend', '--all']);
});

it('what only agents could dial in place of KVStoreMesh is told, with the command that probes by pods', async () => {
  arePodsRefused = true;
  uncollected = () => false;
  const { stderr } = await meshctl.ok(JOIN);
  arePodsRefused = false;
  expect(stderr).toContain('its agents are used instead');
  expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(
    /not tested from mesh-1 to mesh-2: apiserver \(pod\): no pod .* → .*meshctl connectivity probe --context mesh-1,mesh-2 --via pods /,
  );
});

it('a node of which nothing at all was seen is not proved: nothing is connected, and that is no success', async () => {
  uncollected = () => false;
  isMute = (pod) => pod === 1;
  const versions = () => sandbox.clusters.map(({ store }) => store.list({ apiVersion: 'v1', kind: 'Secret' }));
  const before = versions();
  const refused = await meshctl([...JOIN, '-o', 'json']);
  expect(refused.exitCode).toBe(3);
  expect((await meshctl(PROBE)).exitCode).toBe(refused.exitCode);
  const { error } = jsonOf(refused) as { error: { code: string; message: string; details: { unseen: unknown[] } } };
  expect(error).toMatchObject({
    code: 'NetworkUnproved',
    message: expect.stringContaining('nothing was seen from or to node mesh-2-node-2 of mesh-2 ('),
    details: { failures: [], unseen: [{ cluster: 'mesh-2', node: 'mesh-2-node-2' }] },
  });
  expect(versions()).toEqual(before);
  isMute = () => false;
});

it('what only some nodes did not see is told, and does not keep clusters apart', async () => {
  uncollected = (pod) => pod === 0;
  const { stderr } = await meshctl.ok(JOIN);
  expect(stderr).toMatch(
    /⚠ not tested from mesh-1 to mesh-2: tunnel, mtu: nothing is known of what mesh-2-node-1 saw: .*\n {2}→ Try it by itself: meshctl connectivity probe --context mesh-1,mesh-2\n/,
  );
});
