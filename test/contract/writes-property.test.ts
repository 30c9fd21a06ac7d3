import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../src/sandbox/apiserver/api.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { InterceptedRequest } from '../../src/sandbox/options.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { type ClusterState, stateOf } from '../support/cluster-state.ts';
import { refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** A written users.yaml that no program would write so. */
const USERS = '# who may read\nusers:\n  - role: admin # by hand\n    name: "ops"\n';
const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'shop', namespace: 'default', annotations: { 'example.com/kept': 'yes' } },
  spec: { selector: { app: 'shop' }, ports: [{ port: 80 }] },
};

const MESH = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];
const LONE = ['--context', 'mesh-3'];
// Proofs and waits take time and write nothing.
const COMMANDS = {
  enable: ['clustermesh', 'enable', ...LONE],
  connect: ['clustermesh', 'connect', ...MESH, '--no-proof'],
  disconnect: ['clustermesh', 'disconnect', ...MESH, '--yes', '--no-wait'],
  disable: ['clustermesh', 'disable', ...LONE, '--yes'],
  'service global': ['service', 'global', 'default/shop', '--context', 'mesh-1,mesh-2', '--create-missing'],
} as const;
type CommandName = keyof typeof COMMANDS;
/** Writes in phases, waits and proves: a few of its writes stand for all; test/unit/rotation-model.test.ts cuts after each. */
const ROTATE = ['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2'];

const LEASE = {
  ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
  ...{ namespace: 'kube-system', name: 'meshctl-certs-rotate' },
};

/** What is put back, and what goes on at the next run. */
const PUT_BACK: readonly CommandName[] = ['connect', 'disconnect', 'service global'];

interface Attempt {
  abort: AbortController;
  /** Resolves when the command has ended. */
  ended: Promise<void>;
  /** How often the chosen write has come, this time included; 0 for another one after it. */
  count: number;
}

/** What becomes of the chosen write and, where it says so, of those that follow. */
const FAULTS: Readonly<Record<string, (attempt: Attempt) => Promise<Fault | undefined> | Fault | undefined>> = {
  'cut once': ({ count }) => (count === 1 ? 'drop' : undefined),
  'cut, and refused when repeated': ({ count }) => (count === 1 ? 'drop' : refused(count)),
  'answer lost once': ({ count }) => (count === 1 ? 'drop-answer' : undefined),
  'answer lost, and refused when repeated': ({ count }) => (count === 1 ? 'drop-answer' : refused(count)),
  'held until the end': async ({ count, ended }) => {
    if (count === 1) await ended;
    return undefined;
  },
  'interrupted, held, forwarded': async ({ count, abort }) => {
    if (count !== 1) return undefined;
    abort.abort();
    await new Promise((resolve) => setImmediate(resolve));
    return undefined;
  },
  'interrupted, held until the end': async ({ count, abort, ended }) => {
    if (count !== 1) return undefined;
    abort.abort();
    await ended;
    return undefined;
  },
  'forbidden from then on': () => {
    throw new ApiError(403, 'Forbidden', 'admission says no');
  },
};

/** Faults that end only with the time for one request, and that time: a busy machine shall not run into it elsewhere. */
const HELD: readonly string[] = ['held until the end', 'interrupted, held until the end'];
const HELD_OPTIONS = ['--request-timeout', '2s'];

/** The second attempt; what comes for the same object after that is the undoing. */
function refused(count: number): undefined {
  if (count === 2) throw new ApiError(422, 'Invalid', 'admission says no');
}

let sandbox: TestSandbox;
/** Decides about each write to what makes the mesh. */
let onWrite: ((request: InterceptedRequest & { context: string }) => Promise<Fault | undefined>) | undefined;
/** The clusters as each command finds them. */
const starts = {} as Record<CommandName, ClusterState>;
/** How many writes each makes. */
const writes = {} as Record<CommandName, number>;

beforeAll(async () => {
  sandbox = await startTestSandbox({
    clusters: 3,
    nodes: 1,
    withoutCa: true,
    intercept: async (context, request) => (isWrite(request) ? onWrite?.({ ...request, context }) : undefined),
  });
  const pair = sandbox.clusters.slice(0, 2);
  const lone = sandbox.clusters.slice(2);
  const ok = async (argv: readonly string[]) => {
    const { exitCode, stderr } = await meshctl(argv);
    expect(exitCode, stderr).toBe(0);
  };
  const learn = async (name: CommandName, clusters: typeof pair) => {
    starts[name] = stateOf(clusters);
    writes[name] = 0;
    onWrite = async () => {
      writes[name] += 1;
      return undefined;
    };
    await ok(COMMANDS[name]);
    onWrite = undefined;
  };
  await learn('enable', lone);
  await learn('disable', lone);
  await ok(['clustermesh', 'enable', '--context', 'mesh-1,mesh-2']);
  for (const { store } of pair) {
    store.update(refs.configMap('clustermesh-remote-users'), (users) => {
      users.data = { 'users.yaml': USERS };
    });
  }
  pair[0]?.store.create(SERVICE);
  await learn('service global', pair);
  starts['service global'].restore();
  await learn('connect', pair);
  await learn('disconnect', pair);
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

/** Nudges of pods change nothing that lasts. */
function isWrite({ verb, resource }: InterceptedRequest): boolean {
  return ['create', 'patch', 'delete'].includes(verb) && !['pods', 'selfsubjectaccessreviews'].includes(resource);
}

function meshctl(argv: readonly string[], signal = new AbortController().signal): Promise<CliResult> {
  return runCli(argv, { env: { KUBECONFIG: sandbox.kubeconfigPath }, signal });
}

/**
 * Runs a command whose k-th write meets a fault; what was held has been served when it resolves.
 * @returns undefined when the write did not come, because the machine is so busy that a read before it took too long
 */
async function runWithFault(argv: readonly string[], k: number, fault: string): Promise<CliResult | undefined> {
  const abort = new AbortController();
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let seen = 0;
  let count = 0;
  let chosen: string | undefined;
  const decisions: Promise<unknown>[] = [];
  onWrite = async ({ context, httpMethod, path }) => {
    const id = `${context} ${httpMethod} ${path}`;
    if (++seen === k) chosen = id;
    if (chosen === undefined) return undefined;
    const decide = async () => FAULTS[fault]?.({ abort, ended, count: chosen === id ? ++count : 0 });
    const decision = decide();
    decisions.push(decision.catch(() => undefined));
    return decision;
  };
  const result = await meshctl([...argv, ...(HELD.includes(fault) ? HELD_OPTIONS : [])], abort.signal);
  end();
  await Promise.all(decisions);
  // What was held is served in the turns after its release, before a request that comes later.
  for (const { context } of sandbox.clusters) await sandbox.client(context).version();
  onWrite = undefined;
  return chosen === undefined ? undefined : result;
}

/** So often, at most, until the write comes. */
const RUNS = 5;

async function expectTruthAt(name: CommandName, k: number, fault: string): Promise<void> {
  for (let run = 1; run <= RUNS; run++) {
    starts[name].restore();
    const result = await runWithFault(COMMANDS[name], k, fault);
    if (result) return expectTruth(name, result, fault);
  }
  throw new Error(`${name}: write ${k} never came`);
}

/** All is there, or nothing, or it is said by name what is not as before. */
async function expectTruth(name: CommandName, result: CliResult, fault: string): Promise<void> {
  const { exitCode, stderr } = result;
  const differences = starts[name].differences();
  if (exitCode === 0) {
    const again = await meshctl([...COMMANDS[name], '--dry-run', '-o', 'json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ summary: { create: 0, update: 0, delete: 0 } });
    return;
  }
  const said = stderr.split('\n');
  const unsaid = differences.filter((difference) => {
    const [context = '', kind, object] = difference.split(' ');
    return !said.some((line) => line.includes(context) && line.includes(`${kind} ${object}`));
  });
  expect(unsaid, stderr).toEqual([]);
  // Nothing but a server that refuses to have it back keeps a cluster from being as before.
  if (PUT_BACK.includes(name) && fault !== 'forbidden from then on') expect(differences, stderr).toEqual([]);
}

describe.each(Object.keys(COMMANDS) as CommandName[])('%s', (name) => {
  afterAll(() => starts[name].restore());

  const kinds = Object.keys(FAULTS);
  it.each(kinds.map((fault, index) => [fault, index] as const))(
    'is all there, or gone, or says what stands, when a write is: %s',
    async (fault, index) => {
      // Every write meets a fault, and every fault some write; of those that are put back a quarter or a third of them.
      const apart = !PUT_BACK.includes(name) ? kinds.length : HELD.includes(fault) ? 3 : 4;
      for (let k = 1; k <= writes[name]; k++) {
        if (k % apart === index % apart) await expectTruthAt(name, k, fault);
      }
    },
  );
});

describe('certs rotate', () => {
  beforeEach(() => starts.disconnect.restore());
  afterAll(() => starts.disconnect.restore());

  it.each([
    // The first two say that a run is at work there.
    ['cut, and refused when repeated', 5],
    ['interrupted, held, forwarded', 11],
    ['forbidden from then on', 12],
  ])('says what is renewed, and goes on when it is run again, when a write is: %s (write %i)', async (fault, k) => {
    const result = await runWithFault(ROTATE, k, fault);
    expect(result?.exitCode, result?.stderr).not.toBe(0);
    expect(result?.stderr).toMatch(/(Renewed|Nothing was renewed) before it stopped/);
    const check = await meshctl(['clustermesh', 'check', ...ROTATE.slice(-2), '--category', 'tls', '-o', 'short']);
    expect(check.exitCode, check.stdout).toBe(0);
    // Of a run that may not write any more, what says so is good for a minute.
    for (const { store } of sandbox.clusters) if (store.get(LEASE)) store.delete(LEASE);
    expect(await meshctl(ROTATE)).toMatchObject({ exitCode: 0 });
  });
});
