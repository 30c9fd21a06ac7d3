import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/commands/registry.ts';
import type { CheckEntry } from '../../src/mesh/checks/catalogue.ts';
import { COMMAND_LINES, kubectlCommand, meshctlCommand } from '../../src/mesh/command-line.ts';
import type { Fault } from '../../src/mesh/faults/fault.ts';
import { FAULT_IDS, mendOf } from '../../src/mesh/faults/fault-advice.ts';
import { inOrderOfHints, stageOf } from '../../src/mesh/faults/hint-order.ts';
import { checkText } from '../../src/views/checks/check-view.ts';
import { PLAIN } from '../support/plain-theme.ts';

const CONTEXTS = new Map([
  ['mesh-1', 'one'],
  ['mesh-2', "two's (old) && more"],
]);
const ofFault = (id: Fault['id']): Fault => ({
  id,
  context: 'one',
  namespace: 'kube-system',
  peer: 'mesh-2',
  component: 'apiserver',
  object: 'Secret a',
  outage: true,
  says: '',
});
const hintOf = (id: Fault['id']) => mendOf(ofFault(id), CONTEXTS);
const isServing = (hint: string) => hint.startsWith('meshctl clustermesh enable') || hint.includes('--replace-ca');
const isDialling = (hint: string) => hint.startsWith('meshctl clustermesh connect');

describe('the order of hints', () => {
  it.each<[stages: string, hints: string[]]>([
    [
      'what lies under it, enable, and certificates',
      [
        'kubectl --context a -n b scale deployment/c --replicas=1',
        'meshctl clustermesh enable --context a',
        'meshctl clustermesh certs rotate --context a,b',
      ],
    ],
    [
      'a CA before who dials',
      [
        'restore Secret a/b from backup; or replace it (cuts c off until reconnected): meshctl clustermesh enable --context a --replace-ca',
        'meshctl clustermesh connect --context a --destination-context b',
      ],
    ],
    [
      'what enables first, before what only connects',
      [
        'renew it: meshctl clustermesh enable --context a && meshctl clustermesh connect --context b --destination-context a',
        'meshctl clustermesh connect --context a --destination-context b',
      ],
    ],
    [
      'who connects, before who is forgotten',
      [
        'meshctl clustermesh connect --context a --destination-context b',
        'forget it: meshctl clustermesh disconnect --context a --peer c; or join it again: meshctl clustermesh enable --context c && meshctl clustermesh connect --context c --destination-context a',
      ],
    ],
    [
      'a file that enables and connects, before who only connects, and what served last',
      [
        'meshctl clustermesh enable --context a',
        'meshctl apply -f mesh.yaml',
        'meshctl clustermesh connect --context a --destination-context b',
        'meshctl clustermesh invitations revoke --context a x',
        'meshctl clustermesh disable --context c',
      ],
    ],
  ])('is that of what must be there: %s', (_, hints) => {
    expect(hints.map(stageOf)).toEqual(hints.map(stageOf).toSorted((a = 0, b = 0) => a - b));
    expect(new Set(hints.map(stageOf)).size).toBe(hints.length);
    expect(inOrderOfHints(hints.toReversed(), (hint) => hint)).toEqual(hints);
  });

  it.each([
    'meshctl clustermesh status --context a,b',
    'See it: meshctl clustermesh enable --context a --dry-run',
    "kubectl --context 'scale it' -n b describe deployment/c",
    'kubectl --context a -n b logs deployment/c',
    "kubectl --context 'a'\\''s' auth can-i create secrets",
    'kubectl --context delete -n b get pods --watch',
    'kubectl exec ds/cilium -- delete it',
    'give the cluster an id below 128.',
    '',
  ])('leaves a look where it is: %s', (look) => {
    expect(stageOf(look)).toBeUndefined();
    const hints = [
      look,
      'meshctl clustermesh connect --context a --destination-context b',
      look,
      'meshctl clustermesh enable --context a',
      look,
    ];
    expect(inOrderOfHints(hints, (hint) => hint)).toEqual([look, look, hints[3], look, hints[1]]);
  });

  // Each in one of the two, so that whoever prints another one decides.
  const KUBECTL = {
    looks: [
      'auth whoami',
      'config view',
      'config get-contexts',
      'describe',
      'exec',
      'get',
      'logs',
      'rollout status',
      'wait',
    ],
    changes: [
      ...['annotate', 'apply', 'auth reconcile', 'config delete-context', 'create clusterrolebinding', 'create job'],
      ...[
        'create namespace',
        'create serviceaccount',
        'create',
        'delete',
        'edit',
        'patch',
        'replace',
        'rollout restart',
      ],
      ...['rollout resume', 'scale', 'uncordon'],
    ],
    /** Nobody's hint yet. */
    others: {
      looks: ['auth can-i', 'create token', 'diff', 'top'],
      changes: ['set', 'taint', 'cordon', 'drain', 'label', 'rollout undo', 'expose'],
    },
  };
  const stageOfKubectl = (command: string) =>
    stageOf(kubectlCommand({ context: 'get logs', namespace: 'wait' }, [...command.split(' '), 'deployment/x', '-w']));

  it.each([...KUBECTL.looks, ...KUBECTL.others.looks])('has no place for kubectl %s, which looks', (command) => {
    expect(stageOfKubectl(command)).toBeUndefined();
  });

  it.each([...KUBECTL.changes, ...KUBECTL.others.changes])('begins with kubectl %s', (command) => {
    expect(stageOfKubectl(command)).toBe(0);
  });

  it('knows every command of kubectl that is printed', () => {
    const src = fileURLToPath(new URL('../../src/', import.meta.url));
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const printed = files.flatMap((file) =>
      [
        ...readFileSync(join(src, file), 'utf8').matchAll(
          /kubectlCommand\((?:\{[^}]*\}|\w+(?:\([^)]*\))?), \[\s*(?:\.\.\.\[)?'([a-z-]+)'(?:,\s*'([a-z-]+)')?/g,
        ),
      ].map(([, verb = '', noun]) => [verb, `${verb} ${noun}`]),
    );
    const known = [...KUBECTL.looks, ...KUBECTL.changes];
    expect(printed.filter((names) => !names.some((name) => known.includes(name)))).toEqual([]);
    expect(printed.length).toBeGreaterThan(40);
  });

  it('has a place for every command of meshctl that changes clusters, and for no other', () => {
    const placed = (command: string) => stageOf(meshctlCommand(command, { context: 'a' })) !== undefined;
    const wrong = COMMANDS.flatMap(({ path, options = [] }) => {
      const isChange = options.some(({ flags }) => flags.startsWith('--dry-run'));
      return placed(path.join(' ')) === isChange ? [] : [path.join(' ')];
    });
    expect(wrong).toEqual([]);
  });

  it.each(["it's", "it's; old", "a' && 'b", "'", "my 'old' one | it"])(
    'finds a command line whole, whatever a context is named: %s',
    (context) => {
      const [a, b] = [kubectlCommand({ context }, ['get', 'pods']), meshctlCommand('clustermesh enable', { context })];
      expect(`see: ${a}; then: ${b} && ${a}`.match(COMMAND_LINES)).toEqual([a, b, a]);
    },
  );

  it('holds for every two faults, whichever is found first', () => {
    const wrong = FAULT_IDS.flatMap((a) =>
      FAULT_IDS.flatMap((b) => {
        const [first = '', second = ''] = inOrderOfHints([a, b].map(hintOf), (hint) => hint);
        const isWrong =
          (isDialling(first) && isServing(second)) ||
          (first.includes(' disconnect ') && second !== first && isDialling(second));
        return isWrong ? [[a, b]] : [];
      }),
    );
    expect(wrong).toEqual([]);
    expect(FAULT_IDS.map(hintOf).filter(isServing).length).toBeGreaterThan(5);
    expect(FAULT_IDS.map(hintOf).filter(isDialling).length).toBeGreaterThan(5);
  });

  it('is kept by check, which shows what has to wait at the end, under its category', () => {
    const entry = (id: string, category: string, severity: CheckEntry['severity'], hint?: string): CheckEntry => ({
      ...{ id, category, severity, args: {}, title: `title ${id}` },
      ...(severity === 'pass' ? {} : { message: 'is wrong', hint }),
    });
    const text = checkText(
      [
        entry('trust', 'tls', 'fail', 'meshctl clustermesh connect --context a --destination-context b'),
        entry('names', 'tls', 'pass'),
        entry('gone', 'peers', 'fail', 'meshctl clustermesh disconnect --context a --peer c'),
        entry('users', 'standing', 'fail', 'meshctl clustermesh enable --context b'),
        entry('drift', 'ownership', 'warn', 'See it: meshctl clustermesh enable --context b --dry-run'),
      ],
      { short: false },
      PLAIN,
    );
    const shown = text.split('\n').filter((line) => /^(\w+$|[√×‼])/.test(line));
    expect(shown).toEqual([
      ...['tls', '√ title names', 'standing', '× title users', 'ownership', '‼ title drift'],
      ...['tls', '× title trust', 'peers', '× title gone'],
    ]);
  });
});
