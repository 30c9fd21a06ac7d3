import { execFileSync } from 'node:child_process';
import { remembered } from '../../src/mesh/remembered.ts';
import { hintLines } from '../../src/views/hint-lines.ts';
import type { CliResult } from './cli.ts';
import { PLAIN } from './plain-theme.ts';

/** A command line that was printed for the operator, as a shell reads it. */
export interface PrintedCommand {
  /** As it stood there. */
  line: string;
  program: 'meshctl' | 'kubectl';
  /** Without the program. */
  argv: string[];
  /** What another command pipes into it. */
  input?: string;
}

/**
 * `→`, a sentence perhaps, and the commands up to the end of the line: house rule, a hint ends with its command. One that is
 * too long for its line stands on lines of its own below (views/hint-lines.ts).
 */
const STEP =
  /(?:→ .*?\b|^ +)(echo '.*' \| kubectl .*|(?:meshctl (?:clustermesh|service|connectivity)|kubectl (?:--?[a-z][a-z-]*|annotate|apply|create|delete|describe|edit|exec|get|label|logs|patch|rollout|scale))\b.*)$/;
const SHELL =
  'say() { for word in "$@"; do printf "%s\\0" "$word"; done; case "$*" in *" -f -") cat; printf "\\0";; esac; printf "\\n\\0"; }; meshctl() { say meshctl "$@"; }; kubectl() { say kubectl "$@"; };';

/** Every command that was printed after an arrow, on stdout and stderr, each line once, in its order. */
export function printedCommands({ stdout, stderr }: Pick<CliResult, 'stdout' | 'stderr'>): PrintedCommand[] {
  const whole = `${stderr}\n${stdout}`.replaceAll(/ (&&|\|)\n +/g, ' $1 ');
  const lines = whole.split('\n').flatMap((line) => STEP.exec(line)?.[1] ?? []);
  return [...new Set(lines)].flatMap(commandsIn);
}

/** Those of the hint of an error as JSON, laid out as it is in text. */
export function hintedCommands({ stdout }: Pick<CliResult, 'stdout'>): PrintedCommand[] {
  const { error } = JSON.parse(stdout) as { error?: { hint?: string } };
  return printedCommands({ stdout: hintLines(error?.hint ?? '', PLAIN).join('\n'), stderr: '' });
}

/** The same line is printed by many commands, and a shell takes longer to start than most of them. */
const commandsIn = remembered(readByShell, 1000);

/** What a real shell makes of a line; `a && b` are two commands. Fails where it cannot be typed as it is printed. */
function readByShell(line: string): PrintedCommand[] {
  const said = execFileSync('sh', ['-euc', `${SHELL}\n${line}`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return said
    .split('\0\n\0')
    .filter((text) => text !== '')
    .map((text) => {
      const [program, ...argv] = text.split('\0');
      if (program !== 'meshctl' && program !== 'kubectl') throw new Error(`neither meshctl nor kubectl: ${line}`);
      if (argv.at(-2) !== '-') return { line, program, argv };
      return { line, program, argv: argv.slice(0, -1), input: argv.at(-1) ?? '' };
    });
}

const LOOKS: Readonly<Record<PrintedCommand['program'], RegExp>> = {
  meshctl: /^(clustermesh (status|check|certs list|routes|graph)|connectivity probe)\b/,
  kubectl: /(^| )(get|describe|logs|exec)( |$)/,
};

/** Whether it only looks; any other command is one that mends. */
export function isLook({ program, argv }: PrintedCommand): boolean {
  return LOOKS[program].test(argv.join(' ')) || argv.includes('--dry-run');
}
