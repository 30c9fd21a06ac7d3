import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { runCli } from '../support/cli.ts';
import { type EmptyFolder, emptyFolder } from '../support/packed.ts';
import { PACKAGE_ROOT, requireValid } from '../support/schemas.ts';

/**
 * The step of action.yml that runs meshctl, as GitHub runs it; but in place of meshctl a stand-in prints what one printed of a
 * sandbox's clusters (in `recorded`).
 */
const RUN = fileURLToPath(new URL('.ci/action/run.mjs', PACKAGE_ROOT));
const recorded = (name: string) => readFile(new URL(`test/packages/recorded/${name}`, PACKAGE_ROOT), 'utf8');
const STAND_IN = `
import { appendFileSync, readFileSync } from 'node:fs';
const words = process.argv.slice(2);
appendFileSync(process.env.ASKED, JSON.stringify(words) + '\\n');
const isGraph = words[1] === 'graph';
process.stdout.write(readFileSync(isGraph ? process.env.GRAPH : process.env.PRINTS));
if (!isGraph) process.stderr.write(process.env.SAYS ?? '');
process.exitCode = isGraph ? 0 : Number(process.env.EXITS);
`;

let folder: EmptyFolder;
beforeAll(async () => {
  folder = await emptyFolder();
  await Promise.all(['bin', 'dist'].map((name) => mkdir(join(folder.path, name))));
  await writeFile(join(folder.path, 'bin/meshctl.mjs'), STAND_IN);
  const yaml = createRequire(import.meta.url).resolve('yaml');
  await writeFile(join(folder.path, 'dist/yaml.cjs'), `module.exports = require(${JSON.stringify(yaml)});`);
});
afterAll(() => folder.remove());

let runs = 0;

async function act(command: string, prints: string | undefined, exits: number, settings: Record<string, string> = {}) {
  runs += 1;
  const place = join(folder.path, String(runs));
  await mkdir(place);
  const at = (name: string) => join(place, name);
  await writeFile(at('nothing'), '');
  const env = {
    RUNNER_TEMP: place,
    GITHUB_OUTPUT: at('output'),
    GITHUB_STEP_SUMMARY: at('summary'),
    ASKED: at('asked'),
    EXITS: String(exits),
    PRINTS:
      prints === undefined ? at('nothing') : fileURLToPath(new URL(`test/packages/recorded/${prints}`, PACKAGE_ROOT)),
    GRAPH: fileURLToPath(new URL('test/packages/recorded/graph.mmd', PACKAGE_ROOT)),
    MESHCTL_COMMAND: command,
    MESHCTL_SUMMARY: 'true',
    MESHCTL_PICTURE: 'true',
    ...settings,
  };
  const step = await execa(process.execPath, [RUN, join(folder.path, 'bin/meshctl.mjs')], { reject: false, env });
  const read = (name: string) => readFile(at(name), 'utf8').catch(() => '');
  const asked = (await read('asked')).trim().split('\n');
  return {
    exitCode: step.exitCode,
    annotations: step.stdout.match(/^::(error|warning) .*$/gm) ?? [],
    stdout: step.stdout,
    stderr: step.stderr,
    summary: await read('summary'),
    outputs: await read('output'),
    asked: asked.map((line) => JSON.parse(line) as string[]),
  };
}

/** A file with what meshctl printed just now, for the stand-in. */
async function printing(printed: string): Promise<string> {
  const file = join(folder.path, `printed-${runs}`);
  await writeFile(file, printed);
  return file;
}

it.each([
  'check.json',
  'status.json',
  'status-broken.json',
  'connectivity.json',
  'diff.json',
  'probe.json',
  'error.json',
])('what was recorded in %s is what meshctl prints today', async (name) => {
  requireValid(JSON.parse(await recorded(name)));
});

describe('the action shows', () => {
  it('a healthy mesh, with its picture', async () => {
    const { exitCode, annotations, summary, asked, outputs } = await act(
      'clustermesh status --context mesh-1,mesh-2 --wait -o json',
      'status.json',
      0,
    );
    expect({ exitCode, annotations }).toEqual({ exitCode: 0, annotations: [] });
    expect(asked[1]).toEqual(['clustermesh', 'graph', '--context', 'mesh-1,mesh-2', '-o', 'mermaid']);
    expect(outputs).toMatch(/^exit-code<<(\S+)\n0\n\1\noutput<</);
    expect(summary).toBe(`### ✅ \`meshctl clustermesh status --context mesh-1,mesh-2 --wait -o json\`

2 of 2 clusters are healthy

|  | cluster | context | nodes connected | peers |
| --- | --- | --- | --- | --- |
| ✅ | mesh-1 | mesh-1 | 2/2 | mesh-2 2/2 |
| ✅ | mesh-2 | mesh-2 | 2/2 | mesh-1 2/2 |

\`\`\`mermaid
${(await recorded('graph.mmd')).trimEnd()}
\`\`\`
`);
  });

  it.each([
    ['clustermesh status --all -n cilium', ['--all', '-n', 'cilium']],
    ['clustermesh status --all=true --context=a', ['--all', '--context=a']],
    ['service list --context a -n shop', ['--context', 'a']],
  ])('the picture of the clusters of %s', async (command, flags) => {
    const { asked } = await act(command, 'status.txt', 0);
    expect(asked[1]).toEqual(['clustermesh', 'graph', ...flags, '-o', 'mermaid']);
  });

  it('each reason for which one is not, as an error with its next step', async () => {
    const { exitCode, annotations, summary } = await act('clustermesh status --all -o json', 'status-broken.json', 1);
    expect(exitCode).toBe(1);
    const { clusters } = JSON.parse(await recorded('status-broken.json'));
    const problems = clusters.flatMap((cluster: { problems: unknown[] }) => cluster.problems);
    expect(problems.length).toBeGreaterThan(0);
    const errors = annotations.filter((line) => line.startsWith('::error title=meshctl%3A mesh-1::'));
    expect(errors.length).toBeGreaterThanOrEqual(problems.length);
    expect(summary).toMatch(/^### ❌ .*\n\n\d of 2 clusters are healthy\n/);
    expect(summary).toMatch(/^\| ❌ \| mesh-1 \|/m);
  });

  it('what a check found', async () => {
    const { annotations, summary } = await act('clustermesh check --context mesh-1,mesh-2 -o json', 'check.json', 1);
    const { checks } = JSON.parse(await recorded('check.json'));
    const of = (severity: string) => checks.filter((check: { severity: string }) => check.severity === severity).length;
    expect(annotations.filter((line) => line.startsWith('::error '))).toHaveLength(of('fail'));
    expect(annotations.filter((line) => line.startsWith('::warning '))).toHaveLength(of('warn'));
    expect(of('fail')).toBeGreaterThan(0);
    expect(summary).toContain(`${checks.length} checks: ${of('pass')} pass`);
  });

  it('a JUnit report', async () => {
    const { annotations, summary } = await act('clustermesh status --context mesh-1 -o junit', 'status.xml', 1);
    const next = 'meshctl clustermesh enable --context mesh-1';
    expect(annotations).toEqual([`::error title=meshctl%3A has peers::Cluster Mesh is not enabled%0A→ ${next}`]);
    expect(summary).toContain('1 checked: 1 failed, 0 skipped');
    expect(summary).toContain(`| ❌ | has peers | clustermesh.mesh-1 | Cluster Mesh is not enabled<br>→ ${next} |`);
  });

  it('the scenarios of a connectivity test', async () => {
    const { annotations, summary } = await act('connectivity test --all -o json', 'connectivity.json', 0);
    expect(annotations).toEqual([]);
    expect(summary).toMatch(/^\d+ scenarios: \d+ passed, 0 failed, \d+ skipped$/m);
    expect(summary).toMatch(/^\| ✅ \| dns \| mesh-1 \| {2}\|/m);
  });

  it('what clusters have otherwise than their file', async () => {
    const { annotations, summary } = await act('diff -f mesh.yaml -o json', 'diff.json', 1);
    expect(summary).toMatch(/^Differences between 2 clusters and their file: 7$/m);
    expect(summary).toContain(
      '| ❌ | in no file | mesh-2 lets mesh-1 in, but mesh-1 does not dial it: half of a peering is lost |',
    );
    expect(summary).toContain('peer mesh-3 of mesh-1, mesh-2 (--prune also disables Cluster Mesh there, where ');
    expect(summary).toContain('| ❌ | mesh-1 | update Deployment kube-system/clustermesh-apiserver: differs |');
    expect(annotations).toHaveLength(7);
    expect(annotations).toContainEqual(
      expect.stringMatching(
        /^::error title=meshctl%3A mesh::no Service default\/rebel-base in mesh-1, mesh-2%0A.*: kubectl --context mesh-1 /,
      ),
    );
    expect(annotations).toContainEqual(
      expect.stringMatching(/half of a peering is lost%0A.*: meshctl clustermesh connect /),
    );
  });

  it('what the network does not let through, with what mends it', async () => {
    const { annotations, summary } = await act('connectivity probe --all -o json', 'probe.json', 1);
    expect(summary).toMatch(/^22 tests of the network: \d+ open, 2 not tested$/m);
    expect(summary).toContain('| ❌ | path-blocked | mesh-1 | mesh-2 | other packets arrive: a firewall rule of');
    expect(annotations).toEqual([
      expect.stringMatching(
        /^::error title=meshctl%3A path-blocked%2C mesh-1 to mesh-2::tunnel udp 8472: .*%0A.*meshctl clustermesh firewall --context/,
      ),
    ]);
  });

  it.each(['json', 'yaml'])('an error as %s', async (format) => {
    const { exitCode, annotations } = await act(`clustermesh status --context nowhere -o ${format}`, 'error.json', 2, {
      ...(format === 'yaml' && { PRINTS: await printing(stringify(JSON.parse(await recorded('error.json')))) }),
    });
    expect(exitCode).toBe(2);
    expect(annotations).toEqual([
      expect.stringMatching(
        /^::error title=meshctl%3A ContextUnknown::context "nowhere" .*%0Acontexts: mesh-1, mesh-2$/,
      ),
    ]);
  });

  it('each fault of a mesh file, at its line', async () => {
    const text = 'apiVersion: meshctl.io/v1alpha1\nkind: Mesh\nspec:\n  clusters:\n    - nam: a\n  topologie: {}\n';
    await writeFile(join(folder.path, 'bad, mesh.yaml'), text);
    const { exitCode: code, stdout: printed } = await runCli(['diff', '-f', 'bad, mesh.yaml', '-o', 'json'], {
      cwd: folder.path,
    });
    const { faults } = JSON.parse(printed).error.details;
    expect(faults.length).toBeGreaterThan(1);
    const { annotations, summary } = await act('diff -f bad.yaml -o json', 'error.json', code, {
      PRINTS: await printing(printed),
    });
    expect(annotations).toHaveLength(faults.length);
    expect(annotations).toContain(
      '::error file=bad%2C mesh.yaml,line=6,col=3,title=meshctl%3A bad%2C mesh.yaml%3A6%3A3::spec.topologie: spec has no such field; did you mean topology?',
    );
    expect(summary).toContain(
      '| ❌ | bad, mesh.yaml:6:3 | spec.topologie: spec has no such field; did you mean topology? |',
    );
  });

  it('what became of each cluster after a rollback', async () => {
    const rollback = [
      { context: 'mesh-1', outcome: 'as-before', objects: [{ object: 'Secret kube-system/a', outcome: 'restored' }] },
      {
        context: 'mesh-2',
        outcome: 'incomplete',
        objects: [
          { object: 'Secret kube-system/a', outcome: 'restored' },
          { object: 'Secret kube-system/b', outcome: 'failed', error: 'it is down' },
        ],
        mend: 'meshctl clustermesh disconnect --context mesh-2 --peer mesh-1',
      },
      { context: 'mesh-3', outcome: 'untouched', objects: [] },
    ];
    const error = { code: 'Timeout', message: 'no answer', details: { rollback } };
    const printed = JSON.stringify({ apiVersion: 'meshctl.io/v1alpha1', kind: 'Error', error });
    const { annotations, summary } = await act('apply -f mesh.yaml -o json', 'error.json', 1, {
      PRINTS: await printing(printed),
    });
    expect(annotations).toEqual([
      '::error title=meshctl%3A Timeout::no answer',
      '::error title=meshctl%3A mesh-2::is not as before: Secret kube-system/b%0Ameshctl clustermesh disconnect --context mesh-2 --peer mesh-1',
    ]);
    expect(summary).toContain(
      '| ✅ | mesh-1 | is as before |\n| ❌ | mesh-2 | is not as before: Secret kube-system/b |\n| ✅ | mesh-3 | nothing was written there |',
    );
  });

  it('each of several clusters that a command has failed for', async () => {
    const others = [{ context: 'mesh-3', code: 'ClusterUnreachable', message: 'mesh-3 is down', hint: 'Is it up?' }];
    const error = { code: 'ClusterUnreachable', message: 'mesh-2 is down', details: { context: 'mesh-2', others } };
    const printed = JSON.stringify({ apiVersion: 'meshctl.io/v1alpha1', kind: 'Error', error });
    const { annotations } = await act('export --all -o json', 'error.json', 3, { PRINTS: await printing(printed) });
    expect(annotations).toEqual([
      '::error title=meshctl%3A ClusterUnreachable::mesh-2 is down',
      '::error title=meshctl%3A mesh-3::mesh-3 is down%0AIs it up?',
    ]);
  });

  it('why a plan is refused, what it takes from whom, and what it writes', async () => {
    const object = { apiVersion: 'v1', kind: 'Service', namespace: 'kube-system', name: 'clustermesh-apiserver' };
    const step = { action: 'update', object, why: 'peers dial it', changes: [] };
    const plan = {
      apiVersion: 'meshctl.io/v1alpha1',
      kind: 'Plan',
      dryRun: 'client',
      summary: { create: 0, update: 1, delete: 0, keep: 1 },
      clusters: [
        {
          context: 'mesh-1',
          peers: [{ peer: 'mesh-2', becomes: 'cut', why: 'no file has this connection' }],
          hazards: ['other clients get in'],
          steps: [step, { ...step, action: 'keep' }],
        },
      ],
      unconnected: [],
      warnings: ['mesh-1: its CA is lost'],
      refused: { code: 'NotFound', message: 'no Service default/absent in mesh-1', hint: 'Create it.', details: {} },
    };
    requireValid(plan);
    const { annotations, summary } = await act('apply -f mesh.yaml --dry-run -o json', 'error.json', 1, {
      PRINTS: await printing(JSON.stringify(plan)),
    });
    expect(annotations).toEqual([
      '::error title=meshctl%3A NotFound::no Service default/absent in mesh-1%0ACreate it.',
      '::warning title=meshctl%3A mesh-1::peer mesh-2: cut, no file has this connection',
      '::warning title=meshctl%3A mesh-1::other clients get in',
      '::warning title=meshctl%3A warning::mesh-1: its CA is lost',
    ]);
    expect(summary).toContain('\nPlan: 1 to update, 1 to keep; a run is refused, or fails\n');
    expect(summary).toContain('|  | mesh-1 | update Service kube-system/clustermesh-apiserver: peers dial it |');
  });

  it('of any other document what failed, and the document', async () => {
    const error = { code: 'Timeout', message: 'no answer', details: {} };
    const failures = [{ context: 'mesh-2', error }];
    const printed = JSON.stringify({
      apiVersion: 'meshctl.io/v1alpha1',
      kind: 'EnableResult',
      clusters: [],
      warnings: [],
      failures,
    });
    requireValid(JSON.parse(printed));
    const { annotations, summary } = await act('clustermesh enable --all -o json', 'error.json', 1, {
      PRINTS: await printing(printed),
    });
    expect(annotations).toEqual(['::error title=meshctl%3A mesh-2::no answer']);
    expect(summary).toContain('| ❌ | mesh-2 | no answer |');
    expect(summary).toContain(printed);
  });

  it('an error that is no document, and no picture beside it', async () => {
    const line = 'clustermesh statu --context mesh-1';
    const { exitCode: code, stdout: printed, stderr: said } = await runCli(line.split(' '));
    expect(printed).toBe('');
    const { exitCode, annotations, summary, asked } = await act(line, undefined, code, { SAYS: `… Reading\n${said}` });
    expect(exitCode).toBe(2);
    expect(annotations).toEqual([
      "::error title=meshctl%3A clustermesh statu::unknown command 'statu'%0ADid you mean: meshctl clustermesh status --context mesh-1",
    ]);
    expect(summary).toMatch(/^### ❌ .*\n\nunknown command 'statu'\n/);
    expect(summary).toContain('Did you mean: meshctl clustermesh status --context mesh-1');
    expect(summary).not.toContain('mermaid');
    expect(asked).toHaveLength(1);
  });

  it('a line that begins with the word meshctl', async () => {
    const { asked, summary } = await act('meshctl version --client', 'status.txt', 0);
    expect(asked).toEqual([['version', '--client']]);
    expect(summary).toContain('`meshctl version --client`');
  });

  it('text as it is, where it is no document; without clusters no picture', async () => {
    const { summary, asked } = await act('version --client', 'status.txt', 0);
    expect(asked).toEqual([['version', '--client']]);
    expect(summary).toContain(`\`\`\`text\n${(await recorded('status.txt')).trimEnd()}\n\`\`\``);
    expect(summary).not.toContain('mermaid');
  });

  it('nothing where no summary is wanted', async () => {
    const { summary } = await act('clustermesh status --all', 'status.txt', 0, { MESHCTL_SUMMARY: 'false' });
    expect(summary).toBe('');
  });
});

it('what clusters say is no command to the runner', async () => {
  const SAYS = '::add-path::/tmp/theirs\n… Reading';
  const { stdout, stderr } = await act('version', 'status.txt', 0, { SAYS });
  const [, token] = /^::stop-commands::(\S+)\n/.exec(stdout) ?? [];
  expect(stdout).toBe(`::stop-commands::${token}\n${SAYS}\n${(await recorded('status.txt')).trimEnd()}\n::${token}::`);
  expect(stderr).toBe('');
});

it.each([
  ['clustermesh status --context gke,eks', ['clustermesh', 'status', '--context', 'gke,eks']],
  [`a  'b c'\n"d \\"e\\"" f\\ g ''`, ['a', 'b c', 'd "e"', 'f g', '']],
  [
    'clustermesh check \\\n  --context gke,eks \\\r\n-o json\n',
    ['clustermesh', 'check', '--context', 'gke,eks', '-o', 'json'],
  ],
  ['a\\\nb "c\\\nd" \'e\\\nf\' "g\\\\\nh"', ['ab', 'cd', 'e\\\nf', 'g\\\nh']],
  ['$(rm -rf /) `x` $HOME *', ['$(rm', '-rf', '/)', '`x`', '$HOME', '*']],
])('reads %j as words, and expands nothing', async (line, words) => {
  const { shellWords } = await import(new URL('.ci/action/shell-words.mjs', PACKAGE_ROOT).href);
  expect(shellWords(line)).toEqual(words);
});

it('action.yml gives the step what it reads', async () => {
  const action = parse(await readFile(new URL('action.yml', PACKAGE_ROOT), 'utf8'));
  const step = action.runs.steps.find(({ id }: { id?: string }) => id === 'run');
  expect(Object.keys(step.env)).toEqual(
    expect.arrayContaining(['MESHCTL_COMMAND', 'MESHCTL_SUMMARY', 'MESHCTL_PICTURE']),
  );
  // What somebody gives is never put into a script.
  for (const { run } of action.runs.steps) expect(run).not.toContain('${{');
});
