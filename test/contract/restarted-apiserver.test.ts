import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Clock } from '../../src/mesh/clock.ts';
import { briskClock } from '../support/brisk-clock.ts';
import type { CliResult } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect, enable } from '../support/e2e-cli.ts';
import { refuseWhere } from '../support/in-process-api.ts';

/**
 * An API server restarts somewhere in a run that has begun to write, and takes no connection for ten seconds: the run goes on. As many
 * places in each as RESTARTS says, in equal steps over all of its requests; the first is its first write.
 */
const RESTARTS = Number(process.env.RESTARTS ?? 3);
const AWAY_MS = 10_000;

let clusters: ConnectClusters;

beforeAll(async () => {
  clusters = await startConnectClusters(2);
});
afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

const PAIR = ['--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
const CONNECT = connect('mesh-1', 'mesh-2', '--yes');
const DISCONNECT = ['clustermesh', 'disconnect', ...PAIR];

/** Each with what is done before it. */
const COMMANDS: Record<string, { first: string[]; argv: string[] }> = {
  connect: { first: DISCONNECT, argv: CONNECT },
  disconnect: { first: CONNECT, argv: DISCONNECT },
  enable: { first: CONNECT, argv: enable('mesh-1', '--yes', '--replicas') },
  'certs rotate': { first: CONNECT, argv: ['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2', '--yes'] },
};

/** @param at the request at which an API server goes away, from 1 for the first write @returns also how many requests there were */
async function run(argv: readonly string[], at: number): Promise<CliResult & { count: number; lost: string }> {
  const clock: Clock = briskClock();
  let count = 0;
  let lost = '';
  let away: { context: string; untilMs: number } | undefined;
  for (const { context, url } of clusters.clusters) {
    refuseWhere(url, ({ method, url: asked }) => {
      const isWrite = method !== 'GET' && !/review|dryRun=All|\/leases/.test(asked.href);
      if (count > 0 || isWrite) count += 1;
      if (count > 0 && count === at && !away) {
        away = { context, untilMs: clock.ms() + AWAY_MS };
        lost = `${context} ${method} ${asked.pathname}`;
      }
      return away?.context === context && clock.ms() < away.untilMs;
    });
  }
  const result = await clusters.meshctl(argv, { clock });
  for (const { url } of clusters.clusters) refuseWhere(url, () => false);
  return { ...result, count, lost };
}

it.each(Object.entries(COMMANDS))(
  '%s',
  async (name, { first, argv }) => {
    let replicas = 1;
    const prepared = async () => {
      await clusters.meshctl.ok(first);
      // Another number each time, so that there is something to write.
      replicas = replicas === 1 ? 2 : 1;
      return name === 'enable' ? [...argv, String(replicas)] : argv;
    };
    const { count, exitCode, stderr } = await run(await prepared(), 0);
    expect(exitCode, stderr).toBe(0);
    for (let index = 0; index < RESTARTS; index++) {
      const at = 1 + Math.floor((index * count) / RESTARTS);
      const result = await run(await prepared(), at);
      expect.soft(result.exitCode, `${at} of ${count}, ${result.lost}\n${result.stderr}`).toBe(0);
    }
  },
  600_000,
);
