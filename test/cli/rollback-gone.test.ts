import { afterAll, beforeAll, expect, it } from 'vitest';
import { briskClock } from '../support/brisk-clock.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';

let clusters: ConnectClusters;
beforeAll(async () => {
  clusters = await startConnectClusters(3);
});
afterAll(() => clusters?.close());

it('what was written in some clusters is taken back after one minute for another one that is gone for good', async () => {
  const clock = briskClock();
  let sinceMs: number | undefined;
  let backMs: number | undefined;
  clusters.fault = async ({ context, verb, name, dryRun }) => {
    if (context !== 'mesh-3') return undefined;
    const isFirstWrite = name === 'clustermesh-remote-users' && verb !== 'get' && !dryRun;
    if (sinceMs === undefined && !isFirstWrite) return undefined;
    sinceMs ??= clock.ms();
    return 'drop';
  };
  const onOutput = (text: string) => {
    if (/mesh-1: (rolling back|is as before)/.test(text)) backMs ??= clock.ms();
  };
  const run = await clusters.meshctl(connect('mesh-1', 'mesh-2,mesh-3', '--yes'), { clock, onOutput });
  expect(run.exitCode).not.toBe(0);
  // One look after the other, each with a minute of its own, it was more than two.
  expect(((backMs ?? Number.POSITIVE_INFINITY) - (sinceMs ?? 0)) / 1000).toBeLessThan(100);
});
