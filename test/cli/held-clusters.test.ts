import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/commands/registry.ts';
import { processMark } from '../../src/flows/own-process.ts';
import { COMMAND_LINES, contextsIn } from '../../src/mesh/command-line.ts';
import { stageOf } from '../../src/mesh/faults/hint-order.ts';
import { HOLD_MS, withHold } from '../../src/mesh/hold.ts';
import { rotationLeaseRef } from '../../src/mesh/objects/names.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import { type ConnectClusters, isMeshWrite, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, found } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

/** mesh-1 and mesh-2 are connected, mesh-3 has invited somebody; in one of them a rotation of certificates is at work, or was. */
let clusters: ConnectClusters;
let invitation: string;
let id: string;

const LEASE = rotationLeaseRef('kube-system');
const mesh = (...argv: string[]) => ['clustermesh', ...argv];
const PAIR = meshText({
  clusters: [{ name: 'mesh-1', enable: { replicas: 2 } }, { name: 'mesh-2' }],
  topology: { type: 'mesh' },
});
/** What is in no file goes. */
const ALONE = meshText({ clusters: [{ name: 'mesh-1' }], topology: { type: 'mesh' } });

interface Writing {
  command: string;
  argv: () => string[];
  /** The clusters that it writes to. */
  to: readonly string[];
  input?: () => string;
}

/** Whatever writes what a rotation stands on. */
const WRITING: readonly Writing[] = [
  {
    command: 'clustermesh enable',
    argv: () => mesh('enable', '--context', 'mesh-1', '--replicas', '2'),
    to: ['mesh-1'],
  },
  {
    command: 'clustermesh enable',
    argv: () => mesh('enable', '--context', 'mesh-1', '--replicas', '2', '--via-helm', '--yes'),
    to: ['mesh-1'],
  },
  {
    command: 'clustermesh disable',
    argv: () => mesh('disable', '--context', 'mesh-1', '--disconnect', '--yes'),
    to: ['mesh-1', 'mesh-2'],
  },
  { command: 'clustermesh connect', argv: () => connect('mesh-1', 'mesh-3'), to: ['mesh-1', 'mesh-3'] },
  {
    command: 'clustermesh disconnect',
    argv: () => mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'),
    to: ['mesh-1', 'mesh-2'],
  },
  {
    command: 'clustermesh disconnect',
    argv: () => mesh('disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '--yes'),
    to: ['mesh-1'],
  },
  { command: 'apply', argv: () => ['apply', '-f', '-'], to: ['mesh-1'], input: () => PAIR },
  {
    command: 'apply',
    argv: () => ['apply', '-f', '-', '--prune', '--yes'],
    to: ['mesh-1', 'mesh-2'],
    input: () => ALONE,
  },
  { command: 'clustermesh invite', argv: () => mesh('invite', '--context', 'mesh-3'), to: ['mesh-3'] },
  {
    command: 'clustermesh accept',
    argv: () => mesh('accept', '-', '--context', 'mesh-1', '--yes'),
    to: ['mesh-1'],
    input: () => invitation,
  },
  {
    command: 'clustermesh invitations revoke',
    argv: () => mesh('invitations', 'revoke', id, '--context', 'mesh-3', '--yes'),
    to: ['mesh-3'],
  },
  {
    command: 'clustermesh certs rotate',
    argv: () => mesh('certs', 'rotate', '--context', 'mesh-1,mesh-2'),
    to: ['mesh-1', 'mesh-2'],
  },
];

/** Of the others that have a plan: what they write, in namespaces of others or of their own, no rotation stands on. */
const UNCONCERNED = ['service global', 'demo'];

const clusterOf = (context: string) => clusterAt(clusters, context);

/** The clock of an API server is known to the second. */
const DEAD_FOR_MS = 2000;

/** @param forMs how long the mark is still good */
function hold(context: string, forMs = HOLD_MS, process?: string): void {
  const { apiVersion, kind, name, namespace = '' } = LEASE;
  const since = new Date();
  const until = new Date(since.getTime() + forMs);
  const mark = { run: 'abc', host: 'jumphost', since, until, process };
  clusterOf(context).store.create(withHold('rotation', { apiVersion, kind, metadata: { name, namespace } }, mark));
}

/** Writes that were asked for, but for those that only ask or try. */
const written = () =>
  clusters.requests.filter(
    ({ verb, resource, dryRun }) =>
      !dryRun &&
      ['create', 'patch', 'update', 'delete'].includes(verb) &&
      !/review|leases|portforward|exec/.test(resource),
  );

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  const invited = await clusters.meshctl(mesh('invite', '--context', 'mesh-3'));
  invitation = invited.stdout;
  id = found(/^ *id: *"?([\w-]+)/m.exec(invitation)?.[1], 'the id');
  const connected = await clusters.meshctl(connect('mesh-1', 'mesh-2'));
  expect([invited.exitCode, connected.exitCode], invited.stderr + connected.stderr).toEqual([0, 0]);
});

afterEach(() => {
  clusters.fault = undefined;
  for (const { store } of clusters.clusters) if (store.get(LEASE)) store.delete(LEASE);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

it('each command that has a plan either heeds a rotation that is at work, or is known not to concern it', () => {
  const planning = COMMANDS.filter(({ options }) => options.some(({ flags }) => flags.startsWith('--dry-run')));
  const names = planning.map(({ path }) => path.join(' '));
  expect(new Set([...WRITING.map(({ command }) => command), ...UNCONCERNED])).toEqual(new Set(names));
});

const HELD = WRITING.flatMap((one) => one.to.map((context) => ({ ...one, context })));

it.each(HELD)('$command writes nothing where a rotation is at work in $context', async ({ argv, input, context }) => {
  hold(context);
  const before = clusters.objects();
  clusters.requests.length = 0;
  const { exitCode, stdout, stderr } = await clusters.meshctl(argv(), input && { input: input() });
  expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(
    new RegExp(
      `context "${context}": another run, certs rotate on jumphost, is at work there at the same time, since 20.* → Wait until it has ended, then run the same command again; one that was killed holds the cluster until 20`,
    ),
  );
  expect(written()).toEqual([]);
  expect(clusters.objects()).toEqual(before);
});

it.runIf(processMark() !== undefined)(
  'is held no longer by a run of this machine whose process has ended',
  async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    hold('mesh-1', HOLD_MS, processMark());
    const rotate = () => clusters.meshctl(mesh('certs', 'rotate', '--context', 'mesh-1,mesh-2'));
    const refused = await rotate();
    expect(refused.stderr.replaceAll(/\s+/g, ' ')).toContain('certs rotate on jumphost, is at work there');
    clusterOf('mesh-1').store.delete(LEASE);
    // As numbers are given out in another container, it is no process that is known here.
    for (const mark of [undefined, `${pid}@another`]) {
      hold('mesh-1', HOLD_MS, mark);
      expect((await rotate()).exitCode).toBe(1);
      clusterOf('mesh-1').store.delete(LEASE);
    }
    hold('mesh-1', HOLD_MS, processMark(pid));
    const { exitCode, stderr } = await rotate();
    expect(exitCode, stderr).toBe(0);
  },
);

it.each(HELD)('$command --dry-run, too, where one is in $context', async ({ argv, input, context }) => {
  hold(context);
  const options = input && { input: input() };
  const run = await clusters.meshctl([...argv(), '-o', 'json'], options);
  const { message, hint } = (jsonOf(run) as { error: { message: string; hint: string } }).error;
  for (const dryRun of argv().includes('--via-helm') ? ['--dry-run'] : ['--dry-run', '--dry-run=server']) {
    const shown = await clusters.meshctl([...argv().filter((word) => word !== '--yes'), dryRun, '-o', 'json'], {
      ...options,
      answers: [],
    });
    const { refused, failures } = jsonOf(shown) as { refused: unknown; failures?: { error: unknown }[] };
    expect(shown.exitCode, shown.stderr).toBe(run.exitCode);
    // Of several clusters that are enabled each has its own.
    expect(refused ?? failures?.[0]?.error).toMatchObject({ message, hint });
    expect(shown.stderr.replaceAll(/\s+/g, ' ').split('is at work there at the same time')).toHaveLength(2);
  }
});

it.each(HELD)('$command goes by no mark of a run that has died: $context', async ({ argv, input, context }) => {
  hold(context, -DEAD_FOR_MS);
  // The first write ends it.
  let begun = false;
  clusters.fault = async ({ verb, resource, dryRun }) => {
    const isWrite = ['create', 'patch', 'update', 'delete'].includes(verb) && !/review|portforward|exec/.test(resource);
    if (dryRun || !isWrite || resource === 'leases') return undefined;
    begun = true;
    throw new ApiError(422, 'Invalid', 'admission webhook said no');
  };
  const { stderr } = await clusters.meshctl(argv(), input && { input: input() });
  if (!argv().includes('--via-helm')) expect(begun, stderr).toBe(true);
  expect(stderr).not.toContain('is at work');
});

it.each([
  ['disable', mesh('disable', '--context', 'mesh-1', '--disconnect'), undefined],
  ['disconnect', mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2'), undefined],
  ['enable', mesh('enable', '--context', 'mesh-1', '--replace-ca'), undefined],
  ['apply', ['apply', '-f', '-', '--prune'], ALONE],
])('%s looks again once a question was answered', async (_name, argv, input) => {
  const before = clusters.objects();
  const begin = async () => {
    hold('mesh-1');
    return 'y';
  };
  const { exitCode, stderr } = await clusters.meshctl(argv, { answers: [begin], ...(input ? { input } : {}) });
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toContain('certs rotate on jumphost, is at work there');
  expect(clusters.objects()).toEqual(before);
});

it('says that it is not known where marks may not be read, once, and goes on', async () => {
  clusters.fault = async ({ resource, context }) => {
    if (resource === 'leases' && context === 'mesh-1') throw new ApiError(403, 'Forbidden', 'leases is forbidden');
    return undefined;
  };
  const parting = mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes');
  const { exitCode, stderr } = await clusters.meshctl(parting);
  expect(exitCode, stderr).toBe(0);
  expect(stderr.match(/whether certs rotate is at work in context "mesh-1" is not\s+known/g)).toHaveLength(1);
});

describe('status and check where a rotation is at work', () => {
  const BOTH = ['--context', 'mesh-1,mesh-2'];
  const looks = (command: string) => clusters.meshctl(mesh(command, ...BOTH));
  const dataOf = async (command: string) => jsonOf(await clusters.meshctl(mesh(command, ...BOTH, '-o', 'json')));
  const hintsIn = (data: unknown): string[] => {
    if (typeof data !== 'object' || data === null) return [];
    const own = 'hint' in data && typeof data.hint === 'string' ? [data.hint] : [];
    return [...own, ...Object.values(data).flatMap(hintsIn)];
  };
  const writesIn = (hints: readonly string[], context: string) =>
    hints
      .flatMap((hint) => hint.match(COMMAND_LINES) ?? [])
      .filter((line) => stageOf(line) !== undefined && contextsIn(line).includes(context));

  it.each(['status', 'check'])('%s names it, and since when', async (command) => {
    const before = await looks(command);
    hold('mesh-1');
    const { stdout, exitCode } = await looks(command);
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /mesh-1"?: another run, certs rotate on jumphost, is at work there, since 20.* → Wait until certs rotate on jumphost has ended, then look again: meshctl clustermesh (status|check) --context mesh-1,mesh-2/,
    );
    expect(exitCode).toBe(before.exitCode);
  });

  it.each(['status', 'check'])('%s tells nobody to write there while pods are replaced', async (command) => {
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'kube-system',
      name: 'clustermesh-apiserver',
    };
    const { store } = clusterOf('mesh-1');
    const whole = found(store.get(deployment), 'the Deployment');
    store.delete(deployment);
    try {
      expect(writesIn(hintsIn(await dataOf(command)), 'mesh-1')).not.toEqual([]);
      hold('mesh-1');
      const data = await dataOf(command);
      requireValid(data);
      expect(writesIn(hintsIn(data), 'mesh-1')).toEqual([]);
      expect(hintsIn(data).join()).toContain('Wait until certs rotate on jumphost has ended');
    } finally {
      const { resourceVersion: _, uid: __, ...metadata } = whole.metadata;
      store.create({ ...whole, metadata });
    }
  });

  it.each([
    ['graph', 'mermaid'],
    ['graph', 'table'],
    ['graph', 'json'],
    ['routes', 'table'],
    ['routes', 'svg'],
    ['routes', 'json'],
  ])('%s -o %s names it: what is drawn may be its work', async (command, format) => {
    const words =
      /another run, certs rotate on jumphost, is at work there, since 20.*Wait until certs rotate on jumphost/;
    const look = () => clusters.meshctl(mesh(command, ...BOTH, '-o', format));
    const textIn = ({ stdout, stderr }: CliResult) => `${stdout} ${stderr}`.replaceAll(/\s+/g, ' ');
    const before = await look();
    expect(textIn(before)).not.toMatch(words);
    hold('mesh-1');
    const seen = await look();
    expect(textIn(seen)).toMatch(words);
    expect(seen.exitCode).toBe(before.exitCode);
    if (format !== 'json') return;
    const data = jsonOf(seen);
    requireValid(data);
    expect(data.warnings).toEqual([expect.stringMatching(words)]);
  });

  it('export names it: the file that is kept has a half of its work', async () => {
    const warnings = async () => (await clusters.meshctl(['export', ...BOTH])).stderr.replaceAll(/\s+/g, ' ');
    const words =
      /context "mesh-1": another run, certs rotate on jumphost, is at work there, since 20.* then look again: meshctl export --context mesh-1,mesh-2/;
    expect(await warnings()).not.toMatch(words);
    hold('mesh-1');
    expect(await warnings()).toMatch(words);
  });

  it('status has it as data', async () => {
    hold('mesh-1');
    const { clusters: reports } = (await dataOf('status')) as { clusters: { runs?: unknown[] }[] };
    expect(reports.map(({ runs }) => runs)).toEqual([
      [expect.objectContaining({ command: 'certs rotate', host: 'jumphost' })],
      undefined,
    ]);
  });

  it.each(['status', 'check'])('%s calls one that has died so, and lets everything be done', async (command) => {
    hold('mesh-1', -DEAD_FOR_MS);
    const { stdout } = await looks(command);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'it was killed, its machine has stopped, or its mark has come back with a backup',
    );
    expect(stdout).not.toContain('Wait until');
  });

  describe.each([
    { more: [] },
    { more: ['--category', 'tls'] },
    { more: ['--pre'] },
    { more: ['--wait', '--wait-duration', '5s'] },
  ])('check $more', ({ more }) => {
    const check = (...argv: string[]) =>
      clusters.meshctl(mesh('check', ...BOTH, '--fail-on', 'warn', ...more, ...argv));

    it('does not fail for a run that is at work, and does not wait for it', async () => {
      const before = await check();
      hold('mesh-1');
      const { stdout, stderr, exitCode } = await check();
      expect(exitCode, stdout + stderr).toBe(before.exitCode);
      const short = await check('-o', 'short');
      for (const text of [stdout, short.stdout])
        expect(text.replaceAll(/\s+/g, ' ')).toMatch(
          /is at work there, since 20\S+ \(run-at-work\) → Wait until certs rotate on jumphost has ended/,
        );
    });

    it('leaves it out where that is asked for', async () => {
      const before = await check();
      hold('mesh-1', -DEAD_FOR_MS);
      const { stdout, stderr, exitCode } = await check('--suppress', 'run-at-work');
      expect(exitCode, stderr).toBe(before.exitCode);
      expect(stdout).not.toContain('run-at-work');
    });
  });

  it('a check warns of one that has died', async () => {
    hold('mesh-1', -DEAD_FOR_MS);
    const argv = mesh('check', ...BOTH, '--category', 'tls', '--fail-on', 'warn', '-o', 'json');
    const run = await clusters.meshctl(argv);
    expect(run.exitCode).toBe(1);
    const { checks } = jsonOf(run) as { checks: { id: string; hint?: string }[] };
    expect(checks).toContainEqual(expect.objectContaining({ id: 'run-at-work', severity: 'warn', cluster: 'mesh-1' }));
    // The check that tells whether a rotation is unfinished has passed.
    const { hint } = checks.find(({ id }) => id === 'run-at-work') ?? {};
    expect(hint).toMatch(
      /^Take its mark away, as no rotation is unfinished: kubectl .* delete lease meshctl-certs-rotate$/,
    );
  });

  describe('where marks may not be read', () => {
    const WORDS = /mesh-1"?: whether another run of meshctl is at work is not known, as its Leases could not be read/;
    const refuse = () => {
      clusters.fault = async ({ resource, context }) => {
        if (resource === 'leases' && context === 'mesh-1') throw new ApiError(403, 'Forbidden', 'leases is forbidden');
        return undefined;
      };
    };

    it.each(['status', 'check'])('%s says that it is not known', async (command) => {
      expect((await looks(command)).stdout).not.toMatch(WORDS);
      refuse();
      const { stdout } = await looks(command);
      expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(WORDS);
      expect(stdout.match(/Leases/g)).toHaveLength(1);
    });

    it('status has it in its document, and is as well as it was', async () => {
      const before = await looks('status');
      refuse();
      const run = await clusters.meshctl(mesh('status', ...BOTH, '-o', 'json'));
      const data = jsonOf(run) as { clusters: object[] };
      requireValid(data);
      expect(run.exitCode).toBe(before.exitCode);
      expect(data.clusters).toMatchObject([{ runsUnread: true }, expect.not.objectContaining({ runsUnread: true })]);
    });

    it('a check could not look, unless nobody wants to hear of it', async () => {
      const check = (...argv: string[]) =>
        clusters.meshctl(mesh('check', ...BOTH, '--category', 'tls', ...argv, '-o', 'json'));
      refuse();
      const blind = await check();
      const { checks } = jsonOf(blind) as { checks: { id: string }[] };
      expect(checks.filter(({ id }) => id === 'run-at-work')).toMatchObject([
        { severity: 'skip', blind: true, cluster: 'mesh-1' },
      ]);
      expect([blind.exitCode, (await check('--suppress', 'run-at-work')).exitCode]).toEqual([3, 0]);
    });
  });
});

it('a rotation writes down in which phase it is', async () => {
  const connected = await clusters.meshctl(connect('mesh-1', 'mesh-2'));
  expect(connected.exitCode, connected.stderr).toBe(0);
  const seen = new Set<unknown>();
  clusters.fault = async (request) => {
    if (!isMeshWrite(request)) return undefined;
    const text = clusterOf('mesh-1').store.get(LEASE)?.metadata.annotations?.['meshctl.io/rotation-run'];
    if (text !== undefined) seen.add(JSON.parse(text).doing);
    return undefined;
  };
  const rotated = await clusters.meshctl(mesh('certs', 'rotate', '--context', 'mesh-1,mesh-2', '--ca', '--yes'));
  expect(rotated.exitCode, rotated.stderr).toBe(0);
  expect([...seen].map((doing) => String(doing).replace(/:.*/, ''))).toEqual([
    'Phase 1 of 5',
    'Phase 2 of 5',
    'Phase 3 of 5',
    'Phase 4 of 5',
    'Phase 5 of 5',
  ]);
});
