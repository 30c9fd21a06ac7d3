import { describe, expect, it } from 'vitest';
import type { Target } from '../../src/flows/flow.ts';
import { spareOthers } from '../../src/flows/write/spare-others.ts';
import { RELIANCE_UNSEEN } from '../../src/flows/write/working-run.ts';
import type { Journal, JournalEntry } from '../../src/kube/apply.ts';
import type { Direction } from '../../src/mesh/connect/direction.ts';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import { addAliasesStep } from '../../src/mesh/peers/file/host-aliases.ts';
import { rollbackAddUsers } from '../../src/mesh/peers/users/remote-users.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';
import { woundClock } from '../support/wound-clock.ts';

/** A run that has connected cluster `a` with `b`, and `a` with `c`, and takes its work back. */
const NAMES = ['a', 'b', 'c'] as const;
const object = (kind: string, name: string, rest: object): KubeObject => ({
  ...{ apiVersion: kind === 'DaemonSet' ? 'apps/v1' : 'v1', kind, metadata: { name, namespace: 'kube-system' } },
  ...rest,
});
const agents = (hostAliases?: object[]) =>
  object('DaemonSet', 'cilium', { spec: { template: { spec: hostAliases ? { hostAliases } : {} } } });
const users = (...names: string[]) =>
  object('ConfigMap', 'clustermesh-remote-users', {
    data: { 'users.yaml': `users:\n${names.map((name) => `- name: ${name}\n  role: remote\n`).join('')}` },
  });
const ALIASES = [
  { ip: '10.0.0.2', hostnames: ['b.mesh.cilium.io'] },
  { ip: '10.0.0.3', hostnames: ['c.mesh.cilium.io'] },
];
const FILES = { b: 'endpoints: [https://b.mesh.cilium.io:2379]\n', c: 'endpoints: [https://c.mesh.cilium.io:2379]\n' };
const secret = (files: Readonly<Record<string, string>>) => secretObject('cilium-clustermesh', files);

const member = (name: string, planned: readonly KubeObject[] = []) => ({
  snapshot: snapshotOf({
    context: name,
    ciliumConfig: { 'cluster-name': name, 'cluster-id': '1' },
    live: [agents(), ...planned],
  }),
  identity: { name, id: 1 },
  endpoints: [],
});
const [a, b, c] = NAMES.map((name) => member(name));
const DIRECTIONS = [b, c].map((server) => ({
  ...{ client: a, server, credential: { user: 'remote-a' }, marks: {} },
})) as unknown as Direction[];

/** What the run has written, with how it is taken back. */
function journalsOfRun() {
  const [step] = addAliasesStep(member('a').snapshot, false, [
    { peer: 'b', ips: ['10.0.0.2'] },
    { peer: 'c', ips: ['10.0.0.3'] },
  ]);
  const takeBack = step?.write?.method === 'edit' ? step.write.rollback : undefined;
  const entry = (before: KubeObject | undefined, after: KubeObject, more: object = {}): JournalEntry => ({
    ...{ ref: refOf(after), before, after, certain: true, ...more },
  });
  const aliases = entry(agents(), agents(ALIASES), { rollback: (live: KubeObject) => takeBack?.(agents(), live) });
  const files = entry(undefined, secret(FILES));
  const letIn = ['b', 'c'].map((): JournalEntry => {
    const before = users('remote-x');
    const rollback = (live: KubeObject) => rollbackAddUsers(['remote-a'])(before, live);
    return entry(before, users('remote-x', 'remote-a'), { rollback });
  });
  const journals: Journal[] = [
    { cluster: 'a', entries: [aliases, files] },
    ...letIn.map((one, index) => ({ cluster: ['b', 'c'][index] ?? '', entries: [one] })),
  ];
  return { journals, aliases, files, letIn };
}

async function spare(look: () => Promise<KubeObject | undefined>, reliedOn?: ReadonlyMap<string, string>) {
  const said: string[] = [];
  const run = journalsOfRun();
  const targets = NAMES.map((context) => ({
    client: { context, get: look, clock: woundClock() },
    namespace: 'kube-system',
  }));
  const say = (text: string) => said.push(text);
  const flow = { progress: { info: say, warn: say } };
  const sparing = await spareOthers(
    flow as unknown as Parameters<typeof spareOthers>[0],
    targets as unknown as Target[],
    DIRECTIONS,
    run.journals,
    reliedOn,
  );
  return { ...run, sparing, said: said.join('\n') };
}

const lives = (files: Readonly<Record<string, string>>) => async () => secret(files);
const fails =
  (code: ErrorCode, details: Record<string, unknown> = {}) =>
  async () => {
    throw new MeshctlError(code, 'no answer', { details });
  };
const OTHERS_B = { ...FILES, b: 'endpoints: [https://b.mesh.cilium.io:32379]\n' };
const ALL_USERS = users('remote-x', 'remote-a');

describe('a rollback', () => {
  it('takes all of its own back', async () => {
    const { sparing, said, aliases, letIn } = await spare(lives(FILES));
    expect([[...sparing], said]).toEqual([[], '']);
    expect(aliases.rollback?.(agents(ALIASES))).toMatchObject({
      patch: { spec: { template: { spec: { hostAliases: null } } } },
    });
    expect(letIn.map(({ rollback }) => rollback?.(ALL_USERS))).toEqual(
      letIn.map(() => ({ patch: { data: users('remote-x').data } })),
    );
  });

  it('leaves of a pair that another run has connected the users, the file, and the host names that its pods are told', async () => {
    const { sparing, said, aliases, files, letIn } = await spare(lives(OTHERS_B));
    expect(Object.fromEntries(sparing)).toEqual({ a: true, b: true });
    expect(said).toBe('context "b": remote-a stays, because another run has connected a cluster with it');
    expect([aliases.shared, files.shared, ...letIn.map(({ shared }) => shared)]).toEqual([true, true, true, undefined]);
    // Pods would be replaced, and could not resolve what the other run's file dials.
    expect(aliases.rollback?.(agents(ALIASES))).toBeUndefined();
    expect(files.rollback?.(secret(OTHERS_B))).toEqual({ patch: { data: { c: null } } });
    expect(letIn.map(({ rollback }) => rollback?.(ALL_USERS))).toEqual([
      undefined,
      { patch: { data: users('remote-x').data } },
    ]);
  });

  it.each([
    ['counts on', 'because another run counts on it', true],
    ['may count on', RELIANCE_UNSEEN, false],
  ])(
    'leaves a pair that another run has found whole and %s, and no other of the same clusters',
    async (_what, why, isSeen) => {
      const both = await spare(
        lives(FILES),
        new Map([
          ['a', why],
          ['b', 'because another run counts on it'],
        ]),
      );
      expect(Object.fromEntries(both.sparing)).toEqual({ a: isSeen, b: isSeen });
      expect(both.files.rollback?.(secret(FILES))).toEqual({ patch: { data: { c: null } } });
      expect(both.letIn.map(({ rollback }) => rollback?.(ALL_USERS) !== undefined)).toEqual([false, true]);
      // What it has found of a cluster that another pair shares says nothing of that pair.
      const one = await spare(lives(FILES), new Map([['a', why]]));
      expect([...one.sparing]).toEqual([]);
    },
  );

  it('tells apart whom it saw connected with a cluster, and who only may be', async () => {
    const said: string[] = [];
    const [info, warn] = ['info', 'warn'].map((how) => (text: string) => said.push(`${how}: ${text}`));
    const directions = [a, member('d')].map((client) => ({
      ...{ client, server: b, credential: { user: `remote-${client?.identity.name}` }, marks: {} },
    }));
    const [before, after] = [users('remote-x'), users('remote-x', 'remote-a', 'remote-d')];
    const entries: JournalEntry[] = [{ ref: refOf(after), before, after, certain: true }];
    const targets = Object.entries({ a: lives(OTHERS_B), d: fails('Timeout') }).map(([context, get]) => ({
      ...{ client: { context, get, clock: woundClock() }, namespace: 'kube-system' },
    }));
    const sparing = await spareOthers(
      { progress: { info, warn } } as unknown as Parameters<typeof spareOthers>[0],
      targets as unknown as Target[],
      directions as unknown as Direction[],
      [{ cluster: 'b', entries }],
    );
    expect(Object.fromEntries(sparing)).toEqual({ a: true, b: true, d: false });
    expect(said.map((text) => text.split(' →')[0])).toEqual([
      'info: context "b": remote-a stays, because another run has connected a cluster with it',
      'warn: context "b": remote-d stays, because another run may have connected a cluster with it',
    ]);
  });

  it.each([
    ['does not answer in time', fails('Timeout')],
    ['does not answer a request in time', fails('ClusterUnreachable', { timeoutMs: 30_000 })],
    ['refuses the connection', fails('ClusterUnreachable', { code: 'ECONNREFUSED' })],
    ['fails', fails('ApiFailure', { status: 503 })],
    ['does not let the user in any more', fails('Unauthenticated')],
    ['does not let it be read any more', fails('Forbidden')],
  ])('leaves the pairs of a client that %s: it may have been connected since', async (_what, look) => {
    const { sparing, said, aliases, files, letIn } = await spare(look);
    expect(Object.fromEntries(sparing)).toEqual({ a: false, b: false, c: false });
    for (const context of ['b', 'c'])
      expect(said).toContain(
        [
          `context "${context}": remote-a stays, because another run may have connected a cluster with it`,
          `→ whether one has, when they can be reached: meshctl clustermesh status --context ${context},a;`,
          `if none has: meshctl clustermesh disconnect --context ${context} --peer a`,
        ].join(' '),
      );
    expect([aliases.rollback?.(agents(ALIASES)), files.rollback?.(secret(FILES))]).toEqual([undefined, undefined]);
    expect(letIn.map(({ rollback }) => rollback?.(ALL_USERS))).toEqual([undefined, undefined]);
  });

  it('waits for a client that is away for a while, and then takes its own back', async () => {
    const looks: Record<string, number> = {};
    const away = fails('ClusterUnreachable', { code: 'ECONNREFUSED' });
    const { sparing, said, files } = await spare(async () => {
      looks.all = (looks.all ?? 0) + 1;
      return looks.all <= 12 ? away() : secret(FILES);
    });
    expect([[...sparing], said, looks.all]).toEqual([[], '', 14]);
    expect(files.shared).toBeUndefined();
  });

  it('says that a file of its own stays, by which one cluster may dial the other one-way', async () => {
    const { said } = await spare(fails('ClusterUnreachable', { code: 'ECONNREFUSED' }));
    expect(said).toContain(
      'context "a": the file that this run has written for b stays with it, so that it may dial b one-way → to connect both: meshctl clustermesh connect --context a --destination-context b',
    );
  });

  describe('of a run that had switched KVStoreMesh off before it connected', () => {
    const CACHED = { b: 'endpoints: [https://clustermesh-apiserver.kube-system.svc:2379]\n' };
    const MOVED = { b: FILES.b };
    const AGAIN = { b: 'endpoints: [https://10.0.0.2:2379]\n' };
    const written = (before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>) => ({
      cluster: 'a',
      entries: [{ ref: refOf(secret(after)), before: secret(before), after: secret(after), certain: true }],
    });

    it.each<
      [
        string,
        { planned: Readonly<Record<string, string>>; own: Journal[]; live: Readonly<Record<string, string>> },
        string[],
      ]
    >([
      ['takes its file back', { planned: MOVED, own: [written(CACHED, MOVED)], live: MOVED }, []],
      [
        'takes back what it wrote twice',
        { planned: MOVED, own: [written(CACHED, MOVED), written(MOVED, AGAIN)], live: AGAIN },
        [],
      ],
      [
        'leaves what others wrote after it',
        { planned: MOVED, own: [written(CACHED, MOVED)], live: OTHERS_B },
        ['a', 'b'],
      ],
      [
        'leaves what others wrote before it planned',
        { planned: { b: OTHERS_B.b }, own: [written(CACHED, MOVED)], live: { b: OTHERS_B.b } },
        ['a', 'b'],
      ],
      [
        'leaves what others wrote in between',
        { planned: MOVED, own: [written(CACHED, MOVED), written({ b: OTHERS_B.b }, AGAIN)], live: AGAIN },
        ['a', 'b'],
      ],
    ])('%s', async (_what, { planned, own, live }, expected) => {
      const client = member('a', [secret(planned)]);
      const directions = [{ client, server: b, credential: { user: 'remote-a' }, marks: {} }] as unknown as Direction[];
      const targets = [{ client: { context: 'a', get: lives(live) }, namespace: 'kube-system' }] as unknown as Target[];
      const flow = { progress: { info: () => undefined } } as unknown as Parameters<typeof spareOthers>[0];
      expect([...(await spareOthers(flow, targets, directions, own)).keys()]).toEqual(expected);
    });
  });
});
