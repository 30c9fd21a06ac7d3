import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type InstalledMeshctl, installMeshctl } from '../support/installed.ts';

/** Completion in the shells themselves, as an operator types: keys go to a terminal, and what is run at Enter is written down. */

const isHere = (program: string): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
/** util-linux's, which gives a program a terminal. */
const HAS_TERMINAL = process.platform === 'linux' && isHere('script');

const CONTEXTS = [
  'gke',
  'gke-2',
  'admin@prod b (old)',
  'arn:aws:eks:eu-central-1:123:cluster/eks one',
  "DOMAIN\\us$er's x",
];

let installed: InstalledMeshctl;
let env: Record<string, string>;
let record: string;

beforeAll(async () => {
  installed = await installMeshctl();
  const { root, entry } = installed;
  record = join(root, 'record');
  const kubeconfig = {
    contexts: CONTEXTS.map((name) => ({ name, context: { cluster: 'c', user: 'u' } })),
    'current-context': 'gke',
  };
  await writeFile(join(root, 'kubeconfig.yaml'), JSON.stringify(kubeconfig));
  await mkdir(join(root, 'path'));
  const program = join(root, 'path/meshctl');
  const run = `exec '${process.execPath}' '${entry}' "$@"`;
  await writeFile(
    program,
    `#!/bin/sh\ncase $1 in completion | __complete) ${run} ;; esac\nprintf '[%s]' "$@" >>'${record}'\necho >>'${record}'\n`,
  );
  await chmod(program, 0o755);
  env = {
    HOME: root,
    PATH: `${join(root, 'path')}:${process.env.PATH ?? ''}`,
    // What is tried here is the scripts, on a machine that may be busy.
    MESHCTL_COMPLETION_TIMEOUT: '60s',
    KUBECONFIG: join(root, 'kubeconfig.yaml'),
    TERM: 'dumb',
    SHELL: '/bin/sh',
    LC_ALL: 'C.UTF-8',
  };
});

afterAll(() => installed.remove());

/** Types lines in a shell on a terminal, Enter after each. @returns the command lines that meshctl was run with, and the screen */
async function typed(shell: string, lines: readonly string[]): Promise<{ ran: string[]; screen: string }> {
  await rm(record, { force: true });
  const { stdout } = await execa('script', ['-qec', shell, '/dev/null'], {
    input: `${[...lines, 'exit 0'].join('\n')}\n`,
    env,
    extendEnv: false,
    cwd: installed.root,
    timeout: 120_000,
  });
  const ran = existsSync(record) ? (await readFile(record, 'utf8')).trimEnd().split('\n') : [];
  return { ran, screen: stdout };
}

const SPECIAL = '[clustermesh][status][--context][admin@prod b (old)]';

/** What is typed, with TAB as →, and what meshctl is run with. */
const TYPED: readonly [keys: string, ran: string][] = [
  ['meshctl clus→sta→--context adm→-o js→', `${SPECIAL}[-o][json]`],
  ['meshctl mes→sta→--context=adm→', '[mesh][status][--context=admin@prod b (old)]'],
  ["meshctl clustermesh status --context 'adm→", SPECIAL],
  ['meshctl clustermesh status --context "adm→', SPECIAL],
  ['meshctl clustermesh status --context admin@p→', SPECIAL],
  ['meshctl clustermesh status --context admin@prod\\ b→', SPECIAL],
  ['meshctl clustermesh status --context "gke,admin@p→', SPECIAL.replace('admin', 'gke,admin')],
  [
    'meshctl clustermesh status --context gke-2,arn:aws:e→--debug',
    '[clustermesh][status][--context][gke-2,arn:aws:eks:eu-central-1:123:cluster/eks one][--debug]',
  ],
  ['meshctl clustermesh status --context DOM→', "[clustermesh][status][--context][DOMAIN\\us$er's x]"],
  ["meshctl clustermesh status --context 'DOM→", "[clustermesh][status][--context][DOMAIN\\us$er's x]"],
  ['meshctl clustermesh status --nope zz→x', '[clustermesh][status][--nope][zzx]'],
  ['meshctl clustermesh enable --ca-cert ~/kubec→', '[clustermesh][enable][--ca-cert][HOME/kubeconfig.yaml]'],
  ['meshctl clustermesh enable --ca-cert=kubec→', '[clustermesh][enable][--ca-cert=kubeconfig.yaml]'],
  [
    'KUBECONFIG=none meshctl clustermesh status --kubeconfig ~/kubeconfig.yaml --context gke-→',
    '[clustermesh][status][--kubeconfig][HOME/kubeconfig.yaml][--context][gke-2]',
  ],
];

const SHELLS: readonly [shell: string, command: string, start: string][] = [
  ['bash', 'bash --norc --noprofile -i', 'source <(meshctl completion bash); source <(meshctl completion bash)'],
  [
    'zsh',
    'zsh -f -i',
    'autoload -Uz compinit; compinit -u -D; source <(meshctl completion zsh); source <(meshctl completion zsh)',
  ],
];

describe.each(SHELLS)('%s', (shell, command, start) => {
  beforeEach(({ skip }) => {
    skip(!isHere(shell), `there is no ${shell}`);
    skip(!HAS_TERMINAL, "there is no util-linux's script");
  });

  // Without control sequences, and wide enough that no line is scrolled.
  const first = `PS1='$ '; stty cols 250; ${start}; echo READY`;

  it('completes what is typed, quoted as the shell needs it', async () => {
    const { ran, screen } = await typed(command, [first, ...TYPED.map(([keys]) => keys.replaceAll('→', '\t'))]);
    expect(ran, screen).toEqual(TYPED.map(([, words]) => words.replaceAll('HOME', installed.root)));
    // Nothing was said between the lines.
    expect(screen.slice(screen.lastIndexOf('READY'))).not.toMatch(/✖|error|not found|warning/i);
  });

  it('shows what there is, with what it is for', async () => {
    const { screen } = await typed(command, [first, 'meshctl clustermesh certs \t\t']);
    expect(screen).toMatch(/list +(?:--|\() ?List every certificate of the mesh/);
    expect(screen).toMatch(/rotate +(?:--|\() ?Renew the certificates/);
  });

  it('is quiet where meshctl is missing, or fails', async () => {
    // In a folder that there is not: a machine may have a meshctl of its own.
    const nowhere = join(installed.root, 'nowhere');
    const { screen } = await typed(command, [first, `PATH=${nowhere}`, ': MARK', 'meshctl clustermesh en\t']);
    // That of the shell itself, when the line is run at last. What was typed ahead stands on the screen before it.
    const after = screen.split(': MARK').at(-1) ?? '';
    expect(after.match(/not found/g) ?? [], screen).toHaveLength(1);
  });
});

describe('the function of bash', () => {
  beforeEach(({ skip }) => skip(!isHere('bash'), 'there is no bash'));

  /** The function itself, with what bash tells it of a line. */
  async function repliesTo(line: string): Promise<string[]> {
    const script = `
      source <(meshctl completion bash)
      COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:' COMP_TYPE=9 COMP_LINE=$1 COMP_POINT=\${#1}
      _meshctl meshctl; echo "exit $?"; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const options = { env, extendEnv: false, cwd: installed.root };
    const { stdout, stderr } = await execa('bash', ['--norc', '-c', script, 'bash', line], options);
    expect(stderr).toBe('');
    const [exit, ...replies] = stdout.split('\n');
    expect(exit).toBe('exit 0');
    return replies.filter((reply) => reply !== '');
  }

  it('runs nothing of what is typed', async () => {
    const touch = `touch ${join(installed.root, 'PWNED')}`;
    expect(await repliesTo(`meshctl clustermesh status --context "$(${touch})" --node-t`)).toEqual(['--node-timeout']);
    expect(await repliesTo(`meshctl clustermesh status --context $(${touch}`)).toEqual([]);
    expect(await repliesTo(`meshctl clustermesh status --context \`${touch}\` --wait-d`)).toEqual(['--wait-duration']);
    expect(existsSync(join(installed.root, 'PWNED'))).toBe(false);
  });

  it('is told of the whole word, of which it puts in the rest', async () => {
    expect(await repliesTo('meshctl clustermesh status --context=gke-')).toEqual(['gke-2']);
    expect(await repliesTo('meshctl clustermesh status --context arn:aw')).toEqual([
      'aws:eks:eu-central-1:123:cluster/eks\\ one',
    ]);
  });
});

describe('fish', () => {
  beforeEach(({ skip }) => skip(!isHere('fish'), 'there is no fish'));

  it('completes what is typed, and runs nothing of it', async () => {
    const pwned = join(installed.root, 'PWNED');
    const lines: [line: string, expected: string[]][] = [
      ['meshctl clus', ['clustermesh\tJoin clusters into a mesh and inspect it']],
      ['meshctl mesh stat', ['status\tShow whether all nodes are connected to all clusters']],
      ['meshctl mesh status --context adm', ['admin@prod b (old)']],
      ['meshctl mesh status --context=adm', ['--context=admin@prod b (old)']],
      ["meshctl mesh status --context 'adm", ['admin@prod b (old)']],
      ['meshctl mesh status --context "adm', ['admin@prod b (old)']],
      ['meshctl mesh status --context admin@prod\\ b', ['admin@prod b (old)']],
      ['meshctl mesh status --context=gke,ar', [`--context=gke,${CONTEXTS[3]}`]],
      ['meshctl mesh status --nope zz', []],
      ['meshctl mesh enable --ca-cert ./kubec', ['./kubeconfig.yaml']],
      ['meshctl mesh enable --ca-cert=./kubec', ['--ca-cert=./kubeconfig.yaml']],
      ['KUBECONFIG=none meshctl mesh status --kubeconfig ~/kubeconfig.yaml --context gke-', ['gke-2']],
      [`meshctl mesh status --context (touch ${pwned}) --node-t`, ['--node-timeout\tlongest wait for one agent']],
      [`meshctl mesh status --context $(touch ${pwned}`, []],
    ];
    const script = lines.map(([line]) => `complete -C '${line.replace(/[\\']/g, '\\$&')}'; echo ==`).join('\n');
    const { stdout, stderr } = await execa('fish', ['-N', '-c', `meshctl completion fish | source\n${script}`], {
      env,
      extendEnv: false,
      cwd: installed.root,
    });
    expect(stderr).toBe('');
    const answers = `${stdout}\n`.split('==\n').slice(0, -1);
    expect(answers.map((answer) => answer.split('\n').slice(0, -1))).toEqual(lines.map(([, expected]) => expected));
    expect(existsSync(pwned)).toBe(false);
  });
});
