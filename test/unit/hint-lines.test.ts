import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { allOf, counted, partOf } from '../../src/mesh/counted.ts';
import { hintLines, splitNote, withHintsOnce } from '../../src/views/hint-lines.ts';
import { PLAIN } from '../support/plain-theme.ts';

const SENTENCE = 'check routes, VPN and firewalls from the nodes to the address of mesh-2 (TCP 2379), which this shows';
const STUBS = 'meshctl() { printf "%s " meshctl "$@"; }; kubectl() { printf "%s " kubectl "$@"; };';
const COMMAND = `kubectl --context mesh-1 exec deploy/clustermesh-apiserver -c kvstoremesh -- ${'x'.repeat(60)}`;

describe('a note', () => {
  it.each<[string, string, string | undefined]>([
    [
      'it is gone → make it: meshctl clustermesh enable --context a',
      'it is gone',
      'make it: meshctl clustermesh enable --context a',
    ],
    ['it is gone → Run the same command again.', 'it is gone', 'Run the same command again.'],
    ['key (2048 bit → 3072 bit) stays → kubectl get pods', 'key (2048 bit → 3072 bit) stays', 'kubectl get pods'],
    ['not connected: mesh-1 → mesh-2', 'not connected: mesh-1 → mesh-2', undefined],
    ['x-ray: the server said "a → b".', 'x-ray: the server said "a → b".', undefined],
    ['nothing to do', 'nothing to do', undefined],
  ])('%s', (text, says, next) => {
    expect(splitNote(text)).toEqual({ says, ...(next === undefined ? {} : { next }) });
  });
});

it('a next step that several things in a row have alike stands below the last of them', () => {
  const hints = (...all: string[]) => withHintsOnce(all.map((hint) => ({ hint }))).map(({ hint }) => hint);
  expect(hints('a', 'a', 'a', 'b', 'a')).toEqual(['', '', 'a', 'b', 'a']);
});

describe('hintLines', () => {
  it('has no arrow that leads nowhere', () => {
    expect(hintLines('', PLAIN)).toEqual([]);
  });

  it('leaves what fits in a line', () => {
    expect(hintLines('renew it: meshctl clustermesh enable --context a', PLAIN)).toEqual([
      '   → renew it: meshctl clustermesh enable --context a',
    ]);
  });

  it('has each command of a longer one whole on its own line, and sentences within 100 columns', () => {
    const lines = hintLines(
      `${SENTENCE}: ${COMMAND}; or join it again, if that is what was meant: meshctl demo`,
      PLAIN,
    );
    expect(lines.filter((line) => !line.includes('kubectl')).every((line) => line.length <= 100)).toBe(true);
    expect(lines).toEqual([
      '   → check routes, VPN and firewalls from the nodes to the address of mesh-2 (TCP 2379), which this',
      '     shows:',
      `         ${COMMAND}`,
      '     or join it again, if that is what was meant:',
      '         meshctl demo',
    ]);
  });

  it('breaks commands that follow each other where a shell goes on', () => {
    expect(hintLines(`then: ${COMMAND} && meshctl demo`, PLAIN).slice(1)).toEqual([
      `         ${COMMAND} &&`,
      '         meshctl demo',
    ]);
  });

  const POLICY = `echo '{"kind":"NetworkPolicy","note":"a; b && c | d: kubectl x"}' | kubectl --context 'a b' -n kube-system apply -f -`;
  it.each([60, 80, 100])('has nothing on %d columns but what a shell takes as it is printed', (columns) => {
    for (const command of [POLICY, COMMAND, `${COMMAND} && meshctl demo --peer 'it'\\''s'`]) {
      for (const hint of [`Let it in: ${command}`, `first: ${command}; or second: meshctl demo`, command]) {
        const lines = hintLines(hint, PLAIN, 3, columns).map((line) => line.replace(/^ {3}→ (Let it in: )?/, '    '));
        const typed = lines.filter((line) => !/(in|second|first):$/.test(line)).join('\n');
        const said = execFileSync('bash', ['-ec', `echo() { printf '%s ' echo "$@"; }; ${STUBS}\n${typed}`], {
          encoding: 'utf8',
        });
        expect(said).toContain(
          command.includes('apply') ? 'kubectl --context a b -n kube-system apply -f -' : 'x'.repeat(60),
        );
        expect(execFileSync('bash', ['-n'], { input: typed, encoding: 'utf8' })).toBe('');
      }
    }
  });

  it('lets a command end its line, however short', () => {
    expect(hintLines('Renew: meshctl a; or forget: meshctl b', PLAIN, 2, Infinity)).toEqual([
      '  → Renew:',
      '        meshctl a',
      '    or forget:',
      '        meshctl b',
    ]);
  });

  it('leaves a command alone as it is', () => {
    expect(hintLines(COMMAND, PLAIN)).toEqual([`   → ${COMMAND}`]);
  });
});

it.each([
  [counted(1, 'cluster'), '1 cluster'],
  [counted(2, 'cluster'), '2 clusters'],
  [partOf(1, 1, 'node', ['is', 'are']), 'the only node is'],
  [partOf(1, 3, 'node', ['is', 'are']), '1 of 3 nodes is'],
  [partOf(2, 3, 'node', ['is', 'are']), '2 of 3 nodes are'],
  [allOf(1, 'node', ['is', 'are']), 'the only node is'],
  [allOf(2, 'node', ['is', 'are']), 'all 2 nodes are'],
])('%s', (words, wanted) => {
  expect(words).toBe(wanted);
});
