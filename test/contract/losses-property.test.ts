import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { pairsOf } from '../../src/mesh/pairs.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import type { CliResult } from '../support/cli.ts';
import { nudge } from '../support/cluster-pods.ts';
import { type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { dropSecret, setUsersText, USERS } from '../support/fault-parts.ts';
import { meshText } from '../support/mesh-files.ts';
import { isLook, type PrintedCommand, printedCommands } from '../support/printed-commands.ts';
import {
  agentReports,
  clusterAt,
  kvstoremeshReports,
  refsOf,
  setSecret,
  setUsers,
  startTestSandbox,
  type TestSandbox,
} from '../support/sandbox-mesh.ts';
import { textOf } from '../support/verdicts.ts';

/**
 * Whatever of a mesh is lost, what is printed of it leads back to the very same mesh: nobody is let in who was not, nobody dials
 * whom it did not, and what was chosen to be one-way stays so. Each loss comes upon what the mending of those before it has left.
 */
const NAMES = ['mesh-1', 'mesh-2', 'mesh-3', 'mesh-4'];
/** All losses, in so many orders and at other places each time, beside those that are known. */
const RUNS = Number(process.env.LOSSES_RUNS ?? 0);
/** How often an operator asks again. */
const MOST_ROUNDS = 4;
/** Hints of hints that are followed. */
const DEEPEST = 2;
/** What was mended is noticed within so many looks. */
const MOST_LOOKS = 20;
const LOOK_INTERVAL_MS = 100;
const YES = Array.from({ length: 9 }, () => 'y');

const FILE = meshText({
  clusters: NAMES.map((name) => ({ name })),
  topology: { type: 'pairs', pairs: [['mesh-1', 'mesh-2'], { from: 'mesh-3', to: 'mesh-1' }, ['mesh-2', 'mesh-4']] },
  services: [],
});

/** What makes a mesh, by its objects alone. */
interface Relations {
  dials: string[];
  admits: string[];
  /** What is on record of connections that are one-way. */
  marks: string[];
}

let sandbox: TestSandbox;
let meshctl: Meshctl;
let whole: Relations;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: NAMES.length, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(['apply', '-f', '-', '--yes'], { input: FILE });
  await meshctl.ok(['clustermesh', 'status', '--all', '--wait']);
  whole = relations();
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

const PEER_SECRETS = ['cilium-clustermesh', 'cilium-kvstoremesh'] as const;

function relations(): Relations {
  const all = sandbox.clusters.map((cluster) => {
    const refs = refsOf(cluster);
    const secrets = PEER_SECRETS.map((name) => cluster.store.get(refs.secret(name)));
    const dialled = Object.keys(Object.assign({}, ...secrets.map(secretTexts))).filter((key) => NAMES.includes(key));
    const marks = Object.entries(secrets[0]?.metadata.annotations ?? {}).filter(([key]) =>
      key.startsWith('meshctl.io/mode.'),
    );
    return {
      dials: dialled.map((name) => `${cluster.name} → ${name}`),
      admits: admittedBy(cluster).map((name) => `${cluster.name} ← ${name}`),
      marks: marks.map(([key, value]) => `${cluster.name} ${key}=${value}`),
    };
  });
  const every = (key: keyof Relations) => all.flatMap((one) => one[key]).sort();
  return { dials: every('dials'), admits: every('admits'), marks: every('marks') };
}

function admittedBy(cluster: SandboxCluster): string[] {
  const { 'users.yaml': text = '' } = (cluster.store.get(refsOf(cluster).configMap(USERS))?.data ?? {}) as Record<
    string,
    string
  >;
  return NAMES.filter((name) => text.includes(`remote-${name}\n`));
}

function dropFiles(cluster: SandboxCluster, secret: (typeof PEER_SECRETS)[number], peer: string): void {
  const names = ['', '.etcd-client-ca.crt', '.etcd-client.crt', '.etcd-client.key'].map((end) => `${peer}${end}`);
  setSecret(cluster, secret, Object.fromEntries(names.map((name) => [name, undefined])));
}

const LOSSES: Readonly<Record<string, (cluster: SandboxCluster, peer: string) => void>> = {
  'the Secret of the agents': (cluster) => dropSecret(cluster, 'cilium-clustermesh'),
  'the Secret of KVStoreMesh': (cluster) => dropSecret(cluster, 'cilium-kvstoremesh'),
  'both Secrets': (cluster) => {
    for (const name of PEER_SECRETS) if (cluster.store.get(refsOf(cluster).secret(name))) dropSecret(cluster, name);
  },
  'the files of a peer': (cluster, peer) => {
    for (const name of PEER_SECRETS) dropFiles(cluster, name, peer);
  },
  'the file of a peer for the agents': (cluster, peer) => dropFiles(cluster, 'cilium-clustermesh', peer),
  'the files of a peer for KVStoreMesh': (cluster, peer) => dropFiles(cluster, 'cilium-kvstoremesh', peer),
  'the list of users': (cluster) => cluster.store.delete(refsOf(cluster).configMap(USERS)),
  'all users': (cluster) => setUsersText(cluster, 'users: []\n'),
  'the user of a peer': (cluster, peer) =>
    setUsers(
      cluster,
      admittedBy(cluster)
        .filter((name) => name !== peer)
        .map((name) => `remote-${name}`),
    ),
  'what is on record': (cluster) =>
    cluster.store.update(
      refsOf(cluster).secret('cilium-clustermesh'),
      ({ metadata }) => {
        delete metadata.annotations;
      },
      'kubectl-edit',
    ),
  'the server certificate': (cluster) => dropSecret(cluster, 'clustermesh-apiserver-server-cert'),
  'the local certificate': (cluster) => dropSecret(cluster, 'clustermesh-apiserver-local-cert'),
  'the Service': (cluster) => cluster.store.delete(refsOf(cluster).service('clustermesh-apiserver')),
  'the Deployment': (cluster) => cluster.store.delete(refsOf(cluster).deployment('clustermesh-apiserver')),
};

/** What an operator types first, who has heard that something is wrong in a cluster. */
const FIRST: Readonly<Record<string, (name: string) => string[]>> = {
  'status --all': () => ['clustermesh', 'status', '--all'],
  status: (name) => ['clustermesh', 'status', '--context', name],
  'check --all': () => ['clustermesh', 'check', '--all'],
  check: (name) => ['clustermesh', 'check', '--context', name],
  enable: (name) => ['clustermesh', 'enable', '--context', name],
  'certs rotate': (name) => ['clustermesh', 'certs', 'rotate', '--context', name],
  'certs rotate --all': () => ['clustermesh', 'certs', 'rotate', '--all'],
  'certs rotate --ca': (name) => ['clustermesh', 'certs', 'rotate', '--ca', '--context', name],
  apply: () => ['apply', '-f', '-', '--yes'],
};

interface Step {
  loss: string;
  at: string;
  peer: string;
  first: string;
}

/** What was printed of the third once joined clusters that were no peers; the first two take away what is on record, one after the other. */
const KNOWN: readonly Step[] = [
  { loss: 'the Secret of the agents', at: 'mesh-1', peer: 'mesh-2', first: 'status --all' },
  { loss: 'the Secret of the agents', at: 'mesh-3', peer: 'mesh-1', first: 'check' },
  { loss: 'both Secrets', at: 'mesh-3', peer: 'mesh-1', first: 'check --all' },
  { loss: 'the files of a peer', at: 'mesh-4', peer: 'mesh-2', first: 'status --all' },
];

const steps: fc.Arbitrary<Step[]> = fc
  .shuffledSubarray(Object.keys(LOSSES), { minLength: Object.keys(LOSSES).length })
  .chain((losses) =>
    fc.tuple(
      ...losses.map((loss) =>
        fc.record({
          loss: fc.constant(loss),
          at: fc.constantFrom(...NAMES),
          peer: fc.constantFrom(...NAMES),
          first: fc.constantFrom(...Object.keys(FIRST)),
        }),
      ),
    ),
  );

/** Offered beside the way back, for who means something else now; kubectl's are the fault catalogue's. */
const isOtherDecision = ({ program, argv }: PrintedCommand) =>
  program === 'kubectl' ||
  ['disconnect', 'disable', 'bidirectional', '--replace-ca'].some((word) => argv.includes(word));

/** Types what was printed, as it was printed. @returns how many commands that was */
async function follow(result: CliResult, log: string[], depth = 0): Promise<number> {
  let count = 0;
  for (const command of printedCommands(result).filter((one) => !isLook(one) && !isOtherDecision(one))) {
    count += 1;
    const typed = await meshctl(command.argv, { answers: YES });
    log.push(`${'  '.repeat(depth)}$ ${command.line}    # exit ${typed.exitCode}`);
    requireNoMore(log);
    if (typed.exitCode === 0 || depth === DEEPEST) continue;
    log.push(textOf(typed));
    count += await follow({ ...typed, stderr: typed.stderr.slice(typed.stderr.lastIndexOf('✖ ')) }, log, depth + 1);
  }
  return count;
}

/** Nobody has come to dial anyone, or to be let in. */
function requireNoMore(log: readonly string[]): void {
  const now = relations();
  const added = (key: 'dials' | 'admits') => now[key].filter((pair) => !whole[key].includes(pair));
  expect([...added('dials'), ...added('admits')], log.join('\n')).toEqual([]);
}

/** @returns whether all was well, and nothing was left to type */
async function typeAndFollow(argv: readonly string[], log: string[]): Promise<boolean> {
  const result = await meshctl(argv, { input: FILE, answers: YES });
  log.push(`$ meshctl ${argv.join(' ')}    # exit ${result.exitCode}`);
  requireNoMore(log);
  const lines = textOf(result).split('\n');
  const told = lines.filter((line, at) => /[×‼⚠→❌✖]/.test(line) || /[×‼]/.test(lines[at - 1] ?? ''));
  log.push(...told.map((line) => `    | ${line}`));
  const typed = await follow(result, log);
  return result.exitCode === 0 && typed === 0;
}

/** Gives what is lost, or mended, the time to be noticed: all dial anew, and some looks later they are connected, or not. */
async function settle(): Promise<void> {
  for (const cluster of sandbox.clusters) nudge(cluster);
  for (const [one, other] of pairsOf(NAMES)) {
    sandbox.network.cutLink(one, other);
    sandbox.network.mendLink(one, other);
  }
  await Promise.all(sandbox.clusters.map((cluster) => cluster.settled()));
  for (let look = 1; look <= MOST_LOOKS; look++) {
    await new Promise((done) => setTimeout(done, LOOK_INTERVAL_MS));
    if (await isConnected()) return;
  }
}

async function isConnected(): Promise<boolean> {
  const asked = NAMES.flatMap((name) => [agentReports(sandbox, name), kvstoremeshReports(sandbox, name)]);
  const answers = await Promise.allSettled(asked);
  const reports = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  return reports.length === 2 * whole.dials.length && reports.every(({ ready }) => ready === true);
}

async function loseAndMend({ loss, at, peer, first }: Step, log: string[]): Promise<void> {
  log.push(`# ${at} loses ${loss} (${peer})`);
  LOSSES[loss]?.(clusterAt(sandbox, at), peer);
  await settle();
  await typeAndFollow(FIRST[first]?.(at) ?? [], log);
  for (let round = 1; ; round++) {
    await settle();
    const isWell = await typeAndFollow(['clustermesh', 'status', '--all'], log);
    if (isWell && (await typeAndFollow(['clustermesh', 'check', '--all'], log))) break;
    if (round === MOST_ROUNDS) throw new Error(`not well after all of it:\n${log.join('\n')}`);
  }
  const { dials, admits } = relations();
  expect({ dials, admits }, log.join('\n')).toEqual({ dials: whole.dials, admits: whole.admits });
  const diff = await meshctl(['diff', '-f', '-'], { input: FILE });
  log.push(`$ meshctl diff    # exit ${diff.exitCode}`);
  if (diff.exitCode !== 0) await meshctl.ok(['apply', '-f', '-', '--yes'], { input: FILE });
  expect(relations(), log.join('\n')).toEqual(whole);
}

it('is the same mesh again by what was printed, whatever it had lost', async () => {
  const log: string[] = [];
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      for (const step of all) await loseAndMend(step, log);
    }),
    { endOnFailure: true, examples: [[[...KNOWN]]], numRuns: 1 + RUNS },
  );
}, 3_600_000);
