import { describe, expect, it } from 'vitest';
import type { CheckEntry } from '../../src/mesh/checks/catalogue.ts';
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
        'restore Secret a/b from its backup; or, which cuts c off until connected again: meshctl clustermesh enable --context a --replace-ca',
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
