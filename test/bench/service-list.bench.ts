import { execa } from 'execa';
import { bench, describe } from 'vitest';
import { type InstalledMeshctl, installMeshctl } from '../support/installed.ts';
import { addService, CONTEXTS, type ServiceClusters, startServiceClusters } from '../support/service-clusters.ts';

const SERVICES = 2000;
const GLOBAL = 200;
const BACKENDS = 5;
const MOST_MS = 3000;
const MOST_MEGABYTES = 250;
const WARM_UP = 1;
const RUNS = 5;

let clusters: ServiceClusters;
let meshctl: InstalledMeshctl;
const runs: { tookMs: number; megabytes: number }[] = [];

/** Loaded into the process that is measured: its last word is the most memory it had, in kilobytes. */
const SAY_MEMORY = `data:text/javascript,${encodeURIComponent(
  'process.on("exit", () => process.stderr.write("most memory " + process.resourceUsage().maxRSS))',
)}`;

async function list(): Promise<void> {
  const args = ['service', 'list', '--context', CONTEXTS.join(','), '-o', 'json'];
  const started = performance.now();
  const { stdout, stderr } = await execa(process.execPath, ['--import', SAY_MEMORY, meshctl.entry, ...args], {
    env: { KUBECONFIG: clusters.kubeconfigPath },
  });
  const tookMs = performance.now() - started;
  const megabytes = Number(/most memory (\d+)/.exec(stderr)?.[1]) / 1024;
  const { services } = JSON.parse(stdout) as { services: { clusters: { definition?: { uses: unknown[] } }[] }[] };
  const complete = services.filter((service) =>
    service.clusters.every(({ definition }) => definition?.uses.length === CONTEXTS.length),
  );
  if (services.length !== GLOBAL || complete.length !== GLOBAL)
    throw new Error(`${complete.length} of ${services.length}`);
  runs.push({ tookMs: Math.round(tookMs), megabytes: Math.round(megabytes) });
  if (runs.length === WARM_UP + RUNS) requireLimits(runs.slice(WARM_UP));
}

/** The median counts for the time, which other processes disturb; for the memory the worst. */
function requireLimits(measured: typeof runs): void {
  const medianMs = measured.map(({ tookMs }) => tookMs).sort((a, b) => a - b)[Math.floor(measured.length / 2)] ?? NaN;
  const mostMegabytes = Math.max(...measured.map(({ megabytes }) => megabytes));
  console.log(`median ${medianMs} ms, most ${mostMegabytes} MB; ${JSON.stringify(measured)}`);
  if (!(medianMs <= MOST_MS)) throw new Error(`took ${medianMs} ms, more than ${MOST_MS}`);
  if (!(mostMegabytes <= MOST_MEGABYTES)) throw new Error(`took ${mostMegabytes} MB, more than ${MOST_MEGABYTES}`);
}

async function start(): Promise<void> {
  [meshctl, clusters] = await Promise.all([installMeshctl(), startServiceClusters()]);
  for (const context of CONTEXTS) {
    for (let number = 0; number < SERVICES; number++) {
      const mesh: Record<string, string> = number % (SERVICES / GLOBAL) === 0 ? { global: 'true' } : {};
      addService(clusters.stores[context], `service-${number}`, { mesh, ready: BACKENDS });
    }
  }
}

async function stop(): Promise<void> {
  await Promise.all([clusters.close(), meshctl.remove()]);
}

describe(`service list: ${CONTEXTS.length} clusters of ${SERVICES} services, ${GLOBAL} of them global`, () => {
  // Declared async: what is not would be called once more, to see what it returns.
  const listOrStop = async (): Promise<void> => {
    try {
      await list();
    } catch (error) {
      await stop();
      throw error;
    }
  };
  bench(`within ${MOST_MS} ms and ${MOST_MEGABYTES} MB`, listOrStop, {
    ...{ iterations: RUNS, time: 0, warmupIterations: WARM_UP, warmupTime: 0 },
    // Benchmarks have no beforeAll.
    setup: (_, mode) => (mode === 'warmup' ? start() : undefined),
    teardown: (_, mode) => (mode === 'run' ? stop() : undefined),
  });
});
