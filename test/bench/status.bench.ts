import { bench, describe } from 'vitest';
import { SYSTEM_CLOCK } from '../../src/cli/terminal/system-clock.ts';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { pollStatus } from '../../src/flows/status/poll-status.ts';
import { DEFAULT_TIMINGS } from '../../src/sandbox/options.ts';
import { connect, enable, meshctlWith } from '../support/e2e-cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { CHECKOUT } from '../support/schemas.ts';

const NODES = 300;
const EXEC_MS = 30;
const PARALLEL = 50;
/** As `sandbox up` has them: the quick ones of tests would keep 300 agents too busy to be measured. */
const TIMINGS = { ...DEFAULT_TIMINGS, execDelayMs: EXEC_MS };
/** How much longer than the execs alone at this parallelism. */
const MOST_OVERHEAD_MS = 1500;

let sandbox: TestSandbox;
let target: Target;
const took: { one: number[]; many: number[] } = { one: [], many: [] };

const silent = { update() {}, tick() {}, done() {}, fail() {}, stop() {} };
const flow: Flow = {
  progress: { start: () => silent, warn() {}, info() {} },
  now: () => new Date(),
  clock: SYSTEM_CLOCK,
  signal: new AbortController().signal,
  installation: CHECKOUT,
};

async function status(parallel: number): Promise<number> {
  const started = performance.now();
  const { report } = await pollStatus(flow, target, { parallel, nodeTimeoutMs: 10_000 });
  if (!report.healthy || report.nodes.total !== NODES) throw new Error(JSON.stringify(report.nodes));
  return Math.round(performance.now() - started);
}

async function start(): Promise<void> {
  sandbox = await startTestSandbox({ clusters: [{ nodes: NODES }, { nodes: 1 }], timings: TIMINGS });
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1', '--wait', '--wait-duration', '3m']);
  target = { client: sandbox.client('mesh-1'), namespace: 'kube-system' };
}

/** Of runs that other processes disturb, the best one counts. */
function requireLimits(): void {
  const best = { one: Math.min(...took.one), many: Math.min(...took.many) };
  const least = Math.ceil(NODES / PARALLEL) * EXEC_MS;
  const words = [
    `one at a time ${best.one} ms, ${PARALLEL} at a time ${best.many} ms: ${(best.one / best.many).toFixed(1)} times as fast`,
    `the execs alone need ${least} ms at that parallelism; overhead ${best.many - least} ms of at most ${MOST_OVERHEAD_MS}`,
    `memory ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB, with the sandbox in the same process`,
  ];
  console.log(words.join('\n'));
  if (best.many - least > MOST_OVERHEAD_MS) throw new Error('status is too slow');
}

describe(`status of ${NODES} nodes, ${EXEC_MS} ms per exec`, () => {
  const options = { iterations: 3, time: 0, warmupIterations: 1, warmupTime: 0 };
  // Benchmarks have no beforeAll: the first one starts the sandbox, the last one ends it.
  bench(
    `${PARALLEL} at a time`,
    async () => {
      took.many.push(await status(PARALLEL));
    },
    { ...options, setup: (_, mode) => (mode === 'warmup' ? start() : undefined) },
  );
  bench(
    'one at a time',
    async () => {
      took.one.push(await status(1));
      requireLimits();
    },
    {
      ...options,
      iterations: 1,
      warmupIterations: 0,
      teardown: (_, mode) => (mode === 'run' ? sandbox.close() : undefined),
    },
  );
});
