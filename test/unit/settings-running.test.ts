import { expect, it } from 'vitest';
import { CONFIG_CHECKS, STARTED_SETTINGS } from '../../src/mesh/checks/config.ts';
import { RUNNING_CHECKS } from '../../src/mesh/checks/running.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { NOW, snapshotOf } from '../support/snapshots.ts';

it('whatever settings are compared, agents are asked for them', () => {
  const read = new Set<string>();
  const recording = (name: string) =>
    new Proxy({ 'cluster-name': name, 'routing-mode': 'tunnel' } as Record<string, string>, {
      get: (target, key) => {
        if (typeof key === 'string') read.add(key);
        return Reflect.get(target, key);
      },
    });
  const clusters = ['a', 'b'].map((context) => snapshotOf({ context, ciliumConfig: recording(context) }));
  runChecks(CONFIG_CHECKS, { clusters, now: NOW });
  // Who it is, other checks ask the programs.
  const own = ['cluster-name', 'cluster-id', 'max-connected-clusters'];
  expect([...read].filter((key) => !own.includes(key) && !STARTED_SETTINGS.some((one) => one === key))).toEqual([]);
  expect(read.size).toBeGreaterThan(5);
});

const CONFIG = { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'policy-default-local-cluster': 'true' };
const STARTED = { 'cluster-name': 'mesh-1', 'policy-default-local-cluster': 'true' };

it.each<[string, Record<string, string> | undefined, string]>([
  ['as it is', STARTED, 'pass'],
  ['with another value', { ...STARTED, 'policy-default-local-cluster': 'false' }, 'warn'],
  ['before it was set', { 'cluster-name': 'mesh-1' }, 'warn'],
  ['with one that is gone', { ...STARTED, 'clustermesh-enable-mcs-api': 'true' }, 'warn'],
  ['and does not tell', undefined, 'skip'],
])('an agent that was started %s: %s', (_, startedWith, severity) => {
  const cluster = snapshotOf({ ciliumConfig: CONFIG });
  const nodes = [{ node: 'node-1', startedWith }];
  const observed = new Map([[cluster.context, { containers: [], nodes }]]);
  const check = RUNNING_CHECKS.filter(({ id }) => id === 'settings-running');
  const [finding] = runChecks(check, { clusters: [cluster], now: NOW, observed });
  expect(finding?.severity).toBe(severity);
  if (severity === 'warn') {
    expect(finding?.hint).toMatch(/rollout restart daemonset\/cilium deployment\/cilium-operator$/);
    expect(finding && check[0]?.says(finding)).toMatch(
      /^context "one": cilium-config has .*, and agents .* \(node-1\)$/,
    );
  }
});
