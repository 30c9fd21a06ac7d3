import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { errorOf } from './error-report.mjs';
import { reportOf } from './report.mjs';
import { shellWords } from './shell-words.mjs';
import { annotationOf, summaryOf } from './summary.mjs';

/**
 * The step of action.yml that runs meshctl: `node run.mjs ENTRY`, with what to run in MESHCTL_COMMAND. It ends as meshctl does.
 */
const [entry] = process.argv.slice(2);
const { env } = process;

/** The flags by which a command reaches clusters: the picture is of the same. The first ones take a value. */
const VALUES = ['--context', '--kubeconfig', '--as', '--as-group', '--cilium-namespace'];
const SWITCHES = ['--all', '--all=true'];
/** The commands whose `-n` is another namespace than Cilium's, which has `--cilium-namespace` there. */
const HAS_NAMESPACE = /^(service|connectivity|demo|\S+ (inspect-policy|render))/;

function clusterFlags(words) {
  const values = HAS_NAMESPACE.test(words.join(' ')) ? VALUES : [...VALUES, '--namespace', '-n'];
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  return words.slice(0, end).flatMap((word, index) => {
    const [name] = word.split('=');
    if (SWITCHES.includes(word)) return ['--all'];
    if (!values.includes(name)) return [];
    return word.includes('=') ? [word] : words.slice(index, index + 2);
  });
}

/**
 * What a cancelled job sends to its step, SIGINT and 7.5 seconds later SIGTERM, is for meshctl, which takes back what it wrote; 2.5
 * seconds after that all is killed (https://docs.github.com/en/actions/reference/workflow-cancellation-reference). This program
 * outlives it, to tell what became of it. On Windows the console tells both, and a signal that is passed on would kill.
 */
let child;
let isCancelled = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    isCancelled = true;
    if (process.platform !== 'win32') child?.kill(signal);
  });
}

/**
 * Runs meshctl.
 * @param {(chunk: Buffer) => void} onSaid gets what it says on stderr, as it says it
 * @returns {Promise<{ exitCode: number, output: string, said: string }>} what it printed on stdout, and on stderr
 */
function meshctl(words, onSaid) {
  return new Promise((resolve, reject) => {
    child = spawn(process.execPath, [entry, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = { output: [], said: [] };
    child.stdout.on('data', (chunk) => chunks.output.push(chunk));
    child.stderr.on('data', (chunk) => {
      chunks.said.push(chunk);
      onSaid(chunk);
    });
    child.once('error', reject);
    const text = (list) => Buffer.concat(list).toString('utf8');
    child.once('close', (code, signal) =>
      resolve({
        exitCode: code ?? 128 + constants.signals[signal],
        output: text(chunks.output),
        said: text(chunks.said),
      }),
    );
  });
}

/** The installed meshctl has in it what reads YAML, which the checkout of an action has not. An older one lets nobody at it. */
function yamlParser() {
  const file = resolve(entry, '../../dist/yaml.cjs');
  return existsSync(file) ? createRequire(file)(file).parse : undefined;
}

/** What an output of the step has nothing to end it with. */
function setOutput(name, value) {
  const end = randomUUID();
  if (env.GITHUB_OUTPUT) appendFileSync(env.GITHUB_OUTPUT, `${name}<<${end}\n${value}\n${end}\n`);
}

const given = shellWords(env.MESHCTL_COMMAND ?? '');
// Whoever copies a line has that word in it.
const words = given[0] === 'meshctl' ? given.slice(1) : given;
// What clusters say is no command to the runner, which takes them from stderr too: all of it goes one way, between two marks.
const token = randomUUID();
process.stdout.write(`::stop-commands::${token}\n`);
const { exitCode, output, said } = await meshctl(words, (chunk) => process.stdout.write(chunk));
const lines = [said === '' || said.endsWith('\n') ? '' : '\n', output.trimEnd()].join('');
process.stdout.write(`${lines}\n::${token}::\n`);
const file = join(env.RUNNER_TEMP ?? '.', `meshctl-output-${randomUUID()}`);
writeFileSync(file, output);
setOutput('exit-code', String(exitCode));
setOutput('output', file);

// What says nothing on stdout has failed before there was anything to tell, and says why on stderr.
const error = exitCode !== 0 && output.trim() === '' ? errorOf(said, words) : undefined;
const report = error ?? reportOf(output, yamlParser());
// Whatever it is that it ended for, nothing here has words for it.
const unsaid = { level: 'error', where: 'meshctl', says: `it ended with exit status ${exitCode}: see what it printed` };
const findings = report?.findings.length || exitCode === 0 ? (report?.findings ?? []) : [unsaid];
for (const finding of findings) process.stdout.write(`${annotationOf(finding)}\n`);
if (env.MESHCTL_SUMMARY === 'true' && env.GITHUB_STEP_SUMMARY) {
  const flags = clusterFlags(words);
  // Beside an error, a picture of a healthy mesh would be taken for what the command found; a cancelled job leaves no time for it.
  const wanted = !error && !isCancelled && env.MESHCTL_PICTURE === 'true' && (flags.length > 0 || env.MESHCTL_CONTEXT);
  const graph = wanted && (await meshctl(['clustermesh', 'graph', ...flags, '-o', 'mermaid'], () => {}));
  const picture = graph ? graph.output : '';
  const line = `meshctl ${words.join(' ')}`;
  appendFileSync(env.GITHUB_STEP_SUMMARY, summaryOf({ line, exitCode, output, report, picture }));
}
process.exitCode = exitCode;
