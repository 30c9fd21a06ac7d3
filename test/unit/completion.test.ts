import { describe, expect, it } from 'vitest';
import { asBashReplies, splitBashLine } from '../../src/commands/completion/bash-words.ts';
import {
  type Answer,
  answerText,
  answerTo,
  type Candidate,
  type CompletionQuestion,
  named,
} from '../../src/commands/completion/candidates.ts';
import { expanded } from '../../src/commands/completion/known-values.ts';
import { readTypedLine } from '../../src/commands/completion/typed-line.ts';
import { flagNameOf, optionsOf } from '../../src/commands/options/shared-options.ts';
import { COMMAND_ALIASES, COMMAND_GROUPS, COMMANDS } from '../../src/commands/registry.ts';

const VOCABULARY = { commands: COMMANDS, groups: COMMAND_GROUPS, aliases: COMMAND_ALIASES };

async function answered(words: readonly string[], known: readonly Candidate[] = []) {
  const asked: CompletionQuestion[] = [];
  const answer = await answerTo(VOCABULARY, readTypedLine(VOCABULARY, words), async (question) => {
    asked.push(question);
    return known;
  });
  return { answer, asked };
}

const valuesOf = ({ candidates }: Answer): string[] => candidates.map(({ value }) => value);

/** Of a line as it is typed, its last word being the one after the last space. */
async function valuesFor(line: string, known: readonly string[] = []): Promise<string[]> {
  return valuesOf((await answered(line.split(' '), known.map(named))).answer);
}

describe('commands', () => {
  it.each([
    ['', ['apply', 'diff', 'export', 'clustermesh', 'service', 'connectivity', 'sandbox', 'explain', 'version']],
    ['cl', ['clustermesh']],
    ['mes', ['mesh']],
    ['zz', []],
    ['clustermesh di', ['disable', 'disconnect']],
    ['mesh di', ['disable', 'disconnect']],
    ['clustermesh certs ', ['list', 'rotate']],
    ['--debug clustermesh certs ', ['list', 'rotate']],
    ['--kubeconfig x clustermesh certs ', ['list', 'rotate']],
    ['help mesh certs r', ['rotate']],
    ['help clustermesh enable ', []],
    ['help he', []],
    ['nope ', []],
    ['clustermesh nope ', []],
    ['clustermesh nope -', []],
    ['service describe a/b ', ['--context', '--all']],
  ])('after "meshctl %s"', async (line, expected) => {
    expect((await valuesFor(line)).slice(0, Math.max(expected.length, 2))).toEqual(expected);
  });

  it('are all there, each by its summary', async () => {
    for (const { path, summary } of COMMANDS) {
      const { answer } = await answered([...path.slice(0, -1), '']);
      expect(answer.candidates).toContainEqual({ value: path.at(-1), description: summary });
    }
  });
});

describe('flags', () => {
  it('are those of the command and of all commands, short ones for who began one', async () => {
    for (const command of COMMANDS) {
      const offered = optionsOf(command).filter(({ hidden }) => !hidden);
      const names = [...offered.map(flagNameOf), '--help'];
      const before = [...command.path, ...(command.arguments ?? []).map(() => 'x')];
      expect((await valuesOf((await answered([...before, '--'])).answer)).sort()).toEqual(names.sort());
    }
    expect(await valuesFor('clustermesh disconnect -')).toEqual(expect.arrayContaining(['--yes', '-y', '-o', '-h']));
    expect(await valuesFor('clustermesh disconnect --y')).toEqual(['--yes']);
    for (const line of ['--', 'clustermesh --', '--debug --']) {
      const some = ['--help', '--version', '--context', '--kubeconfig'];
      expect(await valuesFor(line)).toEqual(expect.arrayContaining(some));
    }
    expect(await valuesFor('--v')).toEqual(['--version', '--verbose']);
    expect(await valuesFor('--debug --deb')).toEqual([]);
  });

  it.each([
    ['clustermesh disconnect --no-wait --no-w', []],
    ['clustermesh disconnect -y --y', []],
    ['clustermesh disconnect -ojson --out', []],
    ['clustermesh enable --context a --cont', ['--context']],
    ['clustermesh connect --context a --cont', []],
    ['clustermesh connect --context=a --cont', []],
    ['clustermesh connect --dry-run --all --dry', []],
    ['clustermesh connect -- --dry', []],
    ['clustermesh connect -- ', []],
  ])('given once are not offered again: meshctl %s', async (line, expected) => {
    expect(await valuesFor(line)).toEqual(expected);
  });

  it('are not offered beside their opposite', async () => {
    const options = [
      { flags: '--wait', description: '' },
      { flags: '--no-wait', description: '' },
    ];
    const vocabulary = { commands: [{ path: ['go'], summary: '', options }], groups: {}, aliases: {} };
    const offered = async (given: string) =>
      valuesOf(await answerTo(vocabulary, readTypedLine(vocabulary, ['go', given, '--']), async () => []));
    expect((await offered('--wait')).filter((name) => name.endsWith('wait'))).toEqual([]);
    expect((await offered('--no-wait')).filter((name) => name.endsWith('wait'))).toEqual([]);
    expect((await offered('--other')).slice(0, 2)).toEqual(['--wait', '--no-wait']);
  });

  it('are shown where nothing else can come, those first without which it does not go', async () => {
    expect(await valuesFor('clustermesh render ')).toEqual(['--cilium-version', '--cluster-name', '--cluster-id']);
    expect(await valuesFor('clustermesh render --cluster-id 1 ')).toEqual(['--cilium-version', '--cluster-name']);
    expect(await valuesFor('clustermesh status ')).toEqual(expect.arrayContaining(['--wait', '--output']));
    expect(await valuesFor('clustermesh status ')).not.toContain('-o');
  });
});

describe('values', () => {
  const KNOWN = ['gke', 'gke-2', 'admin@prod b (old)'];

  it.each([
    ['clustermesh status -o j', ['json', 'junit']],
    ['clustermesh status -oj', ['-ojson', '-ojunit']],
    ['clustermesh status --output=j', ['json', 'junit']],
    ['clustermesh enable --enable-kvstoremesh ', ['true', 'false']],
    ['clustermesh enable --dry-run s', ['server']],
    ['clustermesh enable --dry-run --no', ['--node-port']],
    ['clustermesh enable --replicas ', []],
    ['clustermesh status --wait=', ['true', 'false']],
    ['clustermesh connect --rollback=f', ['false']],
    ['clustermesh connect --rollback=false --no-rol', []],
    ['clustermesh status --timeout ', []],
    ['clustermesh status --timeo', ['--timeout']],
    ['clustermesh status --timeout=5s --wait-', []],
    ['completion ', ['bash', 'zsh', 'fish', 'powershell']],
    ['clustermesh status --context ', KNOWN],
    ['clustermesh status --context g', ['gke', 'gke-2']],
    ['clustermesh status --context=g', ['gke', 'gke-2']],
    ['clustermesh status --context gke,', ['gke,gke-2', 'gke,admin@prod b (old)']],
    ['clustermesh status --context=gke,g', ['gke,gke-2']],
    ['clustermesh status --context gke --context g', ['gke-2']],
    ['--context g', ['gke', 'gke-2']],
    ['--context gke connectivity test --context ', ['gke-2', 'admin@prod b (old)']],
    ['clustermesh status --context g*', []],
    ['clustermesh status --context a*,g', ['a*,gke', 'a*,gke-2']],
    ['clustermesh status --context gke,?', []],
    ['clustermesh connect --context gke --destination-context g', ['gke-2']],
    ['clustermesh connect --destination-context gke,gke-2 --context ', ['admin@prod b (old)']],
    ['clustermesh enable --context gke --ca-from-context g', ['gke', 'gke-2']],
    ['service failover --context gke --without g', ['gke', 'gke-2']],
    ['clustermesh disconnect --peer gke,g', ['gke,gke-2']],
    ['clustermesh certs rotate --peer g', ['gke', 'gke-2']],
    ['clustermesh check --category gke,g', ['gke,gke-2']],
    ['clustermesh status -n g', ['gke', 'gke-2']],
    ['service list --cilium-namespace g', ['gke', 'gke-2']],
    ['clustermesh status --cilium-namespace g', []],
  ])('after "meshctl %s"', async (line, expected) => {
    const values = await valuesFor(line, KNOWN);
    expect(values.slice(0, expected.length || 9)).toEqual(expected);
  });

  it('of files are left to the shell', async () => {
    for (const line of ['clustermesh status --kubeconfig', 'clustermesh enable --ca-cert']) {
      const { answer, asked } = await answered([...line.split(' '), 'x']);
      expect({ answer, asked }).toEqual({ answer: { candidates: [], files: true }, asked: [] });
      expect(answerText(answer)).toBe(':0\n');
    }
  });

  it('are said of each flag that names something of the clusters', () => {
    const unsaid = COMMANDS.filter(({ reachesClusters }) => reachesClusters)
      .flatMap(optionsOf)
      .filter(
        ({ flags, complete }) => /context|kubeconfig|peer|<namespace>|<file>/.test(flags) && complete === undefined,
      );
    expect(unsaid.map(({ flags }) => flags)).toEqual([]);
  });

  it('are asked for with what the line says so far', async () => {
    const line = 'clustermesh disconnect --kubeconfig k --context=a -ncilium --as u --as-group g --as-group=h --peer ';
    const { asked } = await answered(line.split(' '));
    expect(asked.map(({ source, line: { given } }) => ({ source, given: Object.fromEntries(given) }))).toEqual([
      {
        source: 'peers',
        given: {
          '--kubeconfig': ['k'],
          '--context': ['a'],
          '--namespace': ['cilium'],
          '--as': ['u'],
          '--as-group': ['g', 'h'],
          '--peer': [],
        },
      },
    ]);
  });

  it('are asked for with what variables say in place of flags', () => {
    const env = { MESHCTL_CONTEXT: 'a', CILIUM_NAMESPACE: 'cilium', MESHCTL_NAMESPACE: 'shop' };
    const givenIn = (line: string) => {
      const { given } = readTypedLine(VOCABULARY, line.split(' '), env);
      return [given.get('--context'), given.get('--namespace'), given.get('--cilium-namespace')];
    };
    expect(givenIn('service describe ')).toEqual([['a'], ['shop'], ['cilium']]);
    expect(givenIn('service describe --context b -n c ')).toEqual([['b'], ['c'], ['cilium']]);
    expect(givenIn('service list --all -A ')).toEqual([undefined, undefined, ['cilium']]);
    expect(givenIn('clustermesh disconnect --peer ')).toEqual([['a'], ['cilium'], undefined]);
    // What it is typed for takes its place.
    expect(givenIn('clustermesh disconnect --context=')[0]).toBeUndefined();
  });

  it('that would do something to a terminal are none', async () => {
    const bad = ['a\nb', 'a\tb', 'a\u001b[31m', 'a\u202eb', ''];
    expect(await valuesFor('clustermesh status --context ', [...bad, 'a', 'a'])).toEqual(['a']);
    // Nor those that a list would take for two.
    expect(await valuesFor('clustermesh status --context ', ['a,b', 'c'])).toEqual(['c']);
    expect(await valuesFor('clustermesh connect --context ', ['a,b', 'c'])).toEqual(['a,b', 'c']);
  });

  it('of many services begin with their namespaces', async () => {
    const services = Array.from({ length: 60 }, (_, index) => `${index % 2 ? 'shop' : 'bank'}/service-${index}`);
    const all = await answered(['service', 'describe', ''], services.map(named));
    expect(all.answer).toEqual({ candidates: [named('bank/'), named('shop/')], noSpace: true });
    expect(answerText(all.answer)).toBe('bank/\nshop/\n:6\n');
    expect(await valuesFor('service describe shop/service-5', services)).toHaveLength(6);
    expect(await valuesFor('service describe ', services.slice(0, 50))).toHaveLength(50);
  });
});

it('an answer has a line for each candidate, and last what the shell is to do', () => {
  expect(answerText({ candidates: [{ value: 'a', description: 'first' }, { value: 'b c' }] })).toBe(
    'a\tfirst\nb c\n:4\n',
  );
  expect(answerText({ candidates: [] })).toBe(':4\n');
});

describe('a path', () => {
  it.each([
    ['~/x', '/home/me/x'],
    ['~', '/home/me'],
    ['~other/x', '~other/x'],
    ['a~/x', 'a~/x'],
    ['$DIR/x', '/some/dir/x'],
    [`\${DIR}/x`, '/some/dir/x'],
    ['$env:DIR/x', '/some/dir/x'],
    ['$NONE/x', '/x'],
    ['$(touch x)', '$(touch x)'],
  ])('%s is %s', (text, path) => {
    expect(expanded(text, { HOME: '/home/me', DIR: '/some/dir' })).toBe(path);
  });
});

describe('a line of bash', () => {
  /** What bash has by default. */
  const BREAKS = ' \t\n"\'@><=;|&(:';

  it.each<[line: string, words: string[], kept: number, quote: string]>([
    ['meshctl ', ['meshctl', ''], 0, ''],
    ['meshctl  a  b', ['meshctl', 'a', 'b'], 0, ''],
    ["meshctl 'a b' c\\ d", ['meshctl', 'a b', 'c d'], 0, ''],
    ['meshctl "a \\"b\\" \\x" \'\\', ['meshctl', 'a "b" \\x', '\\'], 0, "'"],
    ['meshctl --context=', ['meshctl', '--context='], 10, ''],
    ['meshctl arn:aws:e', ['meshctl', 'arn:aws:e'], 8, ''],
    ['meshctl arn\\:aws', ['meshctl', 'arn:aws'], 0, ''],
    ['meshctl admin@pr', ['meshctl', 'admin@pr'], 5, ''],
    ["meshctl 'a:b'c", ['meshctl', 'a:bc'], 0, ''],
    ["meshctl x='a b", ['meshctl', 'x=a b'], 2, "'"],
    ['meshctl "a\'b', ['meshctl', "a'b"], 0, '"'],
    ['meshctl a\\', ['meshctl', 'a'], 0, ''],
    ['meshctl $(touch x) `y`', ['meshctl', '$(touch', 'x)', '`y`'], 7, ''],
  ])('%s', (line, words, kept, quote) => {
    const split = splitBashLine(line, BREAKS);
    expect(split.words).toEqual(words);
    expect(split.quote).toBe(quote);
    if (!line.includes('$(')) expect(split.kept).toBe(kept);
  });

  it.each<[kept: number, quote: '' | "'" | '"', lead: string, value: string, reply: string]>([
    [0, '', '', 'admin@prod b (old)', 'admin@prod\\ b\\ \\(old\\)'],
    [5, '', '', 'admin@prod b', '@prod\\ b'],
    [10, '', '--context=', 'a b', 'a\\ b'],
    [0, "'", '', "it's $x", "it'\\''s $x"],
    [0, '"', '', 'it\'s "$x" \\', 'it\'s \\"\\$x\\" \\\\'],
    [11, "'", '--context=', 'gke', 'ke'],
    [0, '', '', '~a;b!', '\\~a\\;b\\!'],
    [0, '', '', 'gke_über-1', 'gke_über-1'],
  ])('keeps %d characters in quote "%s" of %s%s', (kept, quote, lead, value, reply) => {
    expect(asBashReplies([{ value, description: 'd' }], { kept, quote }, lead)).toEqual([
      { value: reply, description: 'd' },
    ]);
  });
});
