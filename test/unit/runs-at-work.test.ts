import { describe, expect, it } from 'vitest';
import { COMMAND_LINES, contextsIn } from '../../src/mesh/command-line.ts';
import type { Fault } from '../../src/mesh/faults/fault.ts';
import { FAULT_IDS, mendOf } from '../../src/mesh/faults/fault-advice.ts';
import { stageOf } from '../../src/mesh/faults/hint-order.ts';
import { type Hold, withHold } from '../../src/mesh/hold.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { applyLeaseRef, rotationLeaseRef } from '../../src/mesh/objects/names.ts';
import { type HeldCluster, heldBack, type RunAtWork, runsMarked, toldRuns } from '../../src/mesh/runs-at-work.ts';
import { ADVICE, adviceForFailure, type FailureClass } from '../../src/mesh/status/failure-reason.ts';
import {
  concernsPeers,
  finishes,
  isOneRun,
  markedRuns,
  type WorkingCommand,
  type WorkingRun,
  workingAnnotation,
  writesWhat,
} from '../../src/mesh/working-runs.ts';

const NOW = new Date('2026-11-30T03:00:00Z');
const LOOK = 'meshctl clustermesh status --context a,b';
const RUN: RunAtWork = {
  command: 'certs rotate',
  host: 'jumphost',
  since: '2026-11-30T02:58:00.000Z',
  until: '2026-11-30T03:00:40.000Z',
};
const cluster = (context: string, ...runs: RunAtWork[]): HeldCluster => ({ context, namespace: 'kube-system', runs });
const writingIn = (hint: string) => (hint.match(COMMAND_LINES) ?? []).filter((line) => stageOf(line) !== undefined);

describe('the marks of runs', () => {
  const hold = (leftMs: number, more: Partial<Hold> = {}): Hold => ({
    run: 'abc',
    host: 'jumphost',
    since: new Date(RUN.since),
    until: new Date(NOW.getTime() + leftMs),
    ...more,
  });
  const lease = ({ name, namespace }: ReturnType<typeof rotationLeaseRef>): KubeObject => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: namespace ?? '' },
  });
  const rotation = (mark: Hold) => withHold('rotation', lease(rotationLeaseRef('kube-system')), mark);

  it('tell which run it is, on which machine, since when and how far', () => {
    const apply = lease(applyLeaseRef('kube-system'));
    apply.metadata.annotations = workingAnnotation('r', {
      command: 'apply',
      ...hold(40_000),
      isRollingBack: false,
    }) as Record<string, string>;
    const doing = 'Phase 2 of 5: replace the present CA with the new one';
    expect(runsMarked({ rotation: rotation(hold(40_000, { doing })), apply }, NOW)).toEqual([
      { ...RUN, doing },
      { ...RUN, command: 'apply' },
    ]);
    expect(runsMarked({ rotation: undefined, apply: undefined }, NOW)).toEqual([]);
    expect(runsMarked({ rotation: lease(rotationLeaseRef('kube-system')), apply: undefined }, NOW)).toEqual([]);
  });

  it('are one where a run has several at a cluster, which lives by the last one that does', () => {
    const marks = { a: -1, b: 30_000, c: 40_000, other: 40_000 };
    const annotations = Object.entries(marks).map(([run, leftMs]) => {
      const since = run === 'other' ? NOW : new Date(RUN.since);
      return workingAnnotation(run, { command: 'disable', ...hold(leftMs, { run, since }), isRollingBack: false });
    });
    const apply = lease(applyLeaseRef('kube-system'));
    apply.metadata.annotations = Object.assign({}, ...annotations);
    const one = { ...RUN, command: 'disable' };
    expect(runsMarked({ rotation: undefined, apply }, NOW)).toEqual([one, { ...one, since: NOW.toISOString() }]);
  });

  it('are stale where they were not said again in time, or name a time that nobody believes', () => {
    const staleOf = (leftMs: number) =>
      runsMarked({ rotation: rotation(hold(leftMs)), apply: undefined }, NOW)[0]?.stale;
    expect([staleOf(-1), staleOf(1), staleOf(86_400_000)]).toEqual([true, undefined, true]);
  });

  it('are stale at once where their process is known to have ended', () => {
    const marks = { rotation: rotation(hold(40_000)), apply: undefined };
    expect(runsMarked(marks, NOW, () => true)[0]).toMatchObject({ stale: true, ended: true });
    expect(runsMarked(marks, NOW, () => false)[0]).toEqual(RUN);
  });

  it.each<[own: string[] | undefined, peers: string[] | undefined, is: boolean]>([
    [undefined, ['a'], true],
    [['a'], undefined, true],
    [['a', 'b'], ['b'], true],
    [['a'], ['b'], false],
    // Who counts on no peer, as enable, is told by no run that is about peers alone.
    [['a'], [], false],
  ])('what a run that is about %j does is what one stands on that is about %j: %s', (own, peers, is) => {
    expect(concernsPeers({ peers: own }, peers)).toBe(is);
  });

  it.each<
    [command: WorkingCommand, parts: string[] | undefined, peers: string[] | undefined, writes: 'there' | 'gone']
  >([
    ['apply', undefined, ['a'], 'there'],
    ['apply', ['a'], undefined, 'there'],
    ['apply', ['a'], ['b'], 'there'],
    ['apply', ['a', 'b'], ['b'], 'gone'],
    ['apply', ['a'], [], 'there'],
    ['accept', undefined, ['a'], 'there'],
    ['disconnect', undefined, ['a'], 'gone'],
    ['disconnect', undefined, undefined, 'gone'],
    ['disable', undefined, ['a'], 'gone'],
    ['invitations revoke', undefined, ['a'], 'gone'],
  ])('on what %s writes, which parts %j, only he stands that wants it of %j: %s', (command, parts, peers, writes) => {
    const standing = (['there', 'gone'] as const).filter((wanted) => writesWhat({ command, parts }, wanted, peers));
    expect(standing).toEqual([writes]);
  });

  it.each<
    [command: WorkingCommand, peers: string[] | undefined, of: WorkingCommand, dead: string[] | undefined, is: boolean]
  >([
    ['apply', undefined, 'apply', undefined, true],
    ['apply', undefined, 'disable', [], false],
    ['disconnect', ['a'], 'apply', undefined, false],
    ['disconnect', ['a'], 'disable', ['a'], false],
    ['disconnect', ['a', 'b'], 'disconnect', ['b'], true],
    ['disconnect', ['a'], 'disconnect', ['a', 'b'], false],
    ['disconnect', [], 'disconnect', ['a'], false],
    ['disconnect', ['a'], 'disconnect', undefined, false],
    // That of a cluster that was to be disabled itself, while it is another one's peer.
    ['disable', ['a'], 'disable', [], false],
    ['disable', [], 'disable', [], true],
    ['disable', [], 'disable', ['a'], true],
    // The contrary of all of it leaves nothing of it to do.
    ['connect', ['a', 'b'], 'disconnect', ['a'], true],
    ['connect', ['a'], 'disconnect', ['a', 'b'], false],
    ['connect', ['a'], 'disconnect', undefined, false],
    ['connect', undefined, 'disconnect', ['a'], false],
    ['connect', ['a'], 'disable', ['a'], false],
    ['connect', ['a'], 'apply', ['a'], false],
    ['accept', ['a'], 'invitations revoke', ['a'], true],
    ['disconnect', ['a'], 'connect', ['a'], true],
    ['disconnect', ['a'], 'accept', ['a'], true],
    ['invitations revoke', ['a'], 'connect', ['a'], false],
  ])('%s of %j finishes what a dead %s of %j had begun: %s', (command, peers, of, dead, is) => {
    expect(finishes({ command, peers }, { command: of, peers: dead })).toBe(is);
  });

  it.each<[what: string, other: Partial<WorkingRun>, is: boolean]>([
    ['about other peers', { run: 'def', peers: ['a'] }, true],
    ['of another machine', { host: 'laptop' }, false],
    ['that began later', { since: NOW }, false],
    ['of another command', { command: 'disconnect' }, false],
  ])('a mark %s is of the same run (%j)', (_what, other, is) => {
    const one: WorkingRun = { ...hold(-1), command: 'disable', isRollingBack: false };
    expect(isOneRun(one, { ...one, ...other })).toBe(is);
  });

  it('a mark tells its command and its peers; one of a former version is of apply, about all that is there', () => {
    const marked = (annotations: Record<string, string | null>) =>
      markedRuns({ ...lease(applyLeaseRef('kube-system')), metadata: { name: 'l', annotations } } as KubeObject);
    const known = { ...hold(40_000), isRollingBack: false };
    const mark = { ...known, command: 'disconnect' as const, peers: ['b'], parts: ['c'] };
    expect(marked(workingAnnotation('r', mark))).toEqual([mark]);
    const former = { 'meshctl.io/apply-run.r': JSON.stringify(known) };
    expect(marked(former)).toEqual([{ ...known, command: 'apply' }]);
  });
});

describe('a run is told', () => {
  it('once for all clusters that it is at work in', () => {
    const doing = 'Phase 1 of 5: trust the new CA along with the present one';
    const run = { ...RUN, doing };
    expect(
      toldRuns([cluster('a', run), cluster('b', { ...run, until: NOW.toISOString() }), cluster('c')], LOOK),
    ).toEqual([
      {
        contexts: ['a', 'b'],
        says: `another run, certs rotate on jumphost, is at work there, since ${RUN.since} (phase 1 of 5: trust the new CA along with the present one)`,
        hint: `Wait until certs rotate on jumphost has ended, then look again: ${LOOK}`,
      },
    ]);
  });

  it('as one that has died where its mark is stale, with what its work is finished by', () => {
    const [rotation, apply] = toldRuns(
      [cluster('a', { ...RUN, stale: true }, { ...RUN, command: 'apply', stale: true })],
      LOOK,
    );
    expect(rotation?.says).toContain(
      `nor been heard of since its mark ran out at ${RUN.until}: it was killed, its machine has stopped, or its mark has come back with a backup`,
    );
    expect(rotation?.hint).toMatch(
      /: meshctl clustermesh check --context a --category tls; or where none is, .*: kubectl --context a -n kube-system delete lease meshctl-certs-rotate$/,
    );
    expect(apply?.hint).toBe(
      'If what it had begun is still wanted, run the same apply again, which finishes it and takes the mark away; or take the mark away: kubectl --context a -n kube-system delete lease meshctl-apply',
    );
  });
});

describe('a run that has died', () => {
  const AWAY = 'kubectl --context a -n kube-system delete lease meshctl-certs-rotate';
  const dead = cluster('a', { ...RUN, stale: true, ended: true });

  it('is not told by a time that is to come where its process has ended', () => {
    const [told] = toldRuns([dead], LOOK);
    expect(told?.says).toBe(
      `another run, certs rotate on jumphost, has begun at ${RUN.since}, and its process has ended: it was killed, or its mark has come back with a backup`,
    );
  });

  it.each([
    ['nobody has looked', undefined, /meshctl clustermesh check --context a --category tls; or .*delete lease/],
    ['there is none', {}, new RegExp(`^Take its mark away, as no rotation is unfinished: ${AWAY}$`)],
    [
      'it could not be seen',
      { unseen: true as const },
      new RegExp(`^If no rotation is unfinished, which could not be seen, take its mark away: ${AWAY}$`),
    ],
    [
      'there is one',
      { hint: 'meshctl clustermesh certs rotate --context a' },
      /^meshctl \S+ certs rotate --context a$/,
    ],
  ])('leads to the rotation that it has left, and to no check that has just been made: %s', (_when, sought, hint) => {
    const asked: (readonly string[])[] = [];
    const [told] = toldRuns([dead], LOOK, (contexts) => {
      asked.push(contexts);
      return sought;
    });
    expect(told?.hint).toMatch(hint);
    expect(asked).toEqual([['a']]);
  });
});

describe('a next step while a run is at work', () => {
  const held = [cluster('a', RUN), cluster('b')];
  const RESTART = 'kubectl --context a -n kube-system rollout restart deployment/clustermesh-apiserver';
  const LOGS = 'kubectl --context a -n kube-system logs deployment/clustermesh-apiserver';
  const WAIT = `Wait until certs rotate on jumphost has ended, then look again: ${LOOK}`;

  it.each([
    [RESTART, WAIT],
    [`the log: ${LOGS}; or let a new pod publish it: ${RESTART}`, `${WAIT}; or the log: ${LOGS}`],
    [`Find it: ${LOGS}; or if it is gone for good, forget it: ${RESTART}`, `${WAIT}; or find it: ${LOGS}`],
    ['meshctl clustermesh connect --context b --destination-context a', WAIT],
    [
      `restore Secret kube-system/cilium-ca from backup; or replace it: meshctl clustermesh enable --context a --replace-ca`,
      WAIT,
    ],
    [
      `First restore Secret kube-system/cilium-ca from backup; or replace it: ${RESTART}; or the log: ${LOGS}`,
      `${WAIT}; or the log: ${LOGS}`,
    ],
    [`${RESTART} && ${LOOK}`, WAIT],
  ])('names nothing that writes there: %s', (hint, shown) => {
    expect(heldBack(hint, held, LOOK)).toBe(shown);
    expect(heldBack(shown, held, LOOK)).toBe(shown);
  });

  it.each([LOGS, LOOK, 'meshctl clustermesh enable --context a --dry-run', RESTART.replace('context a', 'context b')])(
    'stays where it only looks, or is about another cluster: %s',
    (hint) => expect(heldBack(hint, held, LOOK)).toBe(hint),
  );

  it('stays after a run that has died', () => {
    expect(heldBack(RESTART, [cluster('a', { ...RUN, stale: true })], LOOK)).toBe(RESTART);
  });

  const place = { context: 'a', namespace: 'kube-system', peer: 'mesh-2', peerContext: 'b' };
  const advised = (Object.keys(ADVICE) as FailureClass[]).map((id) => [id, adviceForFailure(id, place).hint] as const);
  const contexts = new Map([
    ['mesh-1', 'a'],
    ['mesh-2', 'b'],
  ]);
  const mended = FAULT_IDS.map((id) => {
    const of: Omit<Fault, 'id'> = {
      context: 'a',
      namespace: 'kube-system',
      component: 'apiserver',
      object: 'x',
      says: 'x',
      outage: true,
    };
    const fault: Fault = { ...of, id, peer: 'mesh-2' };
    return [id, mendOf(fault, contexts)] as const;
  });

  it.each([...advised, ...mended])('writes in no cluster that is held, whatever is wrong: %s', (_id, hint) => {
    const all = [cluster('a', RUN), cluster('b', { ...RUN, command: 'apply' })];
    const writing = writingIn(heldBack(hint, all, LOOK)).flatMap(contextsIn);
    expect(writing.filter((context) => all.some((one) => one.context === context))).toEqual([]);
  });

  it('tries that on next steps that write', () => {
    const count = [...advised, ...mended].filter(([, hint]) => writingIn(hint).length > 0).length;
    expect(count).toBeGreaterThan(20);
  });
});
