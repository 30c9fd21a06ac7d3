import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
const SWITCHES = ['--all'];

function clusterFlags(words) {
  return words.flatMap((word, index) => {
    const [name] = word.split('=');
    if (SWITCHES.includes(word)) return [word];
    if (!VALUES.includes(name)) return [];
    return word.includes('=') ? [word] : words.slice(index, index + 2);
  });
}

/** Runs meshctl. @returns {Promise<{ exitCode: number, output: string }>} what it printed on stdout */
function meshctl(words, stderr) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, ...words], { stdio: ['ignore', 'pipe', stderr] });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (code) => resolve({ exitCode: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

/** What an output of the step has nothing to end it with. */
function setOutput(name, value) {
  const end = randomUUID();
  if (env.GITHUB_OUTPUT) appendFileSync(env.GITHUB_OUTPUT, `${name}<<${end}\n${value}\n${end}\n`);
}

const words = shellWords(env.MESHCTL_COMMAND ?? '');
const { exitCode, output } = await meshctl(words, 'inherit');
// What clusters say is no command to the runner.
const token = randomUUID();
process.stdout.write(`::stop-commands::${token}\n${output.trimEnd()}\n::${token}::\n`);
const file = join(env.RUNNER_TEMP ?? '.', `meshctl-output-${randomUUID()}`);
writeFileSync(file, output);
setOutput('exit-code', String(exitCode));
setOutput('output', file);

const report = reportOf(output);
for (const finding of report?.findings ?? []) process.stdout.write(`${annotationOf(finding)}\n`);
if (env.MESHCTL_SUMMARY === 'true' && env.GITHUB_STEP_SUMMARY) {
  const flags = clusterFlags(words);
  const wanted = env.MESHCTL_PICTURE === 'true' && (flags.length > 0 || env.MESHCTL_CONTEXT);
  const graph = wanted && (await meshctl(['clustermesh', 'graph', ...flags, '-o', 'mermaid'], 'ignore'));
  const picture = graph ? graph.output : '';
  const line = `meshctl ${words.join(' ')}`;
  appendFileSync(env.GITHUB_STEP_SUMMARY, summaryOf({ line, exitCode, output, report, picture }));
}
process.exitCode = exitCode;
