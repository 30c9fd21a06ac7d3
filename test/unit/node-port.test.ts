import { expect, it } from 'vitest';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { defaultNodePort, nodePortCommand } from '../../src/mesh/enable/exposure/node-port.ts';
import { NOW, serviceObject, snapshotOf } from '../support/snapshots.ts';

it('gives each cluster of the largest mesh its own port in the range', () => {
  const ports = Array.from({ length: 511 }, (_, index) => defaultNodePort(index + 1));
  expect(ports[0]).toBe(32379);
  expect(new Set(ports).size).toBe(511);
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(30000);
  expect(Math.max(...ports)).toBeLessThanOrEqual(32767);
});

it.each([
  ['its own one', {}, [], '32379'],
  ['one that nobody has by its id either', {}, [32379, 32380], '30122'],
  ['its own by its id', { 'cluster-id': '7' }, [32379], '32385'],
])('gives a command line for %s', (_what, ciliumConfig, taken, port) => {
  expect(
    nodePortCommand(
      snapshotOf({ context: 'b (old)', ciliumConfig: { 'cluster-id': '1', ...ciliumConfig } }),
      new Set(taken),
    ),
  ).toBe(`meshctl clustermesh enable --context 'b (old)' --node-port ${port}`);
});

it('of clusters with one NodePort the last one is given a free one', () => {
  const live = [serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] })];
  const clusters = ['one', 'two'].map((context, index) =>
    snapshotOf({ context, live, ciliumConfig: { 'cluster-id': String(index + 1), 'kube-proxy-replacement': 'true' } }),
  );
  const check = MESH_CHECKS.filter(({ id }) => id === 'node-port-unique');
  expect(runChecks(check, { clusters, now: NOW, observed: new Map() })).toMatchObject([
    {
      severity: 'fail',
      hint: expect.stringMatching(/: meshctl clustermesh enable --context two --node-port 32380$/),
    },
  ]);
});
