import { basename } from 'node:path';
import type { CommandSpec } from '../commands/command-spec.ts';
import { leadsOn, withFlagsBehind } from './flags-first.ts';
import type { Host } from './terminal/host.ts';

/** As a plugin of kubectl, which takes the first word for the name of a program: kubectl-clustermesh. */
const PLUGIN = 'kubectl clustermesh';
const OWN_GROUP = 'clustermesh';

/** What an operator types to run a program. @param file the program as it was called, e.g. /usr/bin/kubectl-clustermesh */
export function programNameOf(file: string): string {
  return basename(file).replace(/\.(js|exe)$/i, '') === 'kubectl-clustermesh' ? PLUGIN : 'meshctl';
}

/** Which words there are. */
interface Vocabulary {
  commands: readonly CommandSpec[];
  aliases: Readonly<Record<string, string>>;
}

/** A command line as meshctl itself takes it: the plugin's `status` is `clustermesh status`, its `demo` is `demo`. */
export function asMeshctl(name: string, { commands, aliases }: Vocabulary, argv: readonly string[]): string[] {
  if (name !== PLUGIN) return [...argv];
  if (argv[0] === 'help') return ['help', ...asMeshctl(name, { commands, aliases }, argv.slice(1))];
  const grouped = withFlagsBehind(commands, aliases, [OWN_GROUP, ...argv]);
  return argv.length > 0 && leadsOn(commands, aliases, grouped.slice(0, 2)) ? grouped : [...argv];
}

/** A text whose command lines are those that an operator types under this name. */
export function asTyped(name: string, commands: readonly CommandSpec[]): (text: string) => string {
  if (name !== PLUGIN) return (text) => text;
  const first = [...new Set(commands.map(({ path }) => path[0]))].join('|');
  // A command, or a word of its help; a word about meshctl is left alone.
  const line = new RegExp(`\\bmeshctl (?:${OWN_GROUP} |(?=(?:${first}|help)\\b|--?[a-z]|\\[))`, 'g');
  return (text) => text.replace(line, `${name} `);
}

/** A host that shows its command lines so. */
export function typedHost(host: Host, commands: readonly CommandSpec[]): Host {
  if (host.installation.name !== PLUGIN) return host;
  const typed = asTyped(host.installation.name, commands);
  const sink = (stream: Host['stdout']): Host['stdout'] => ({
    write: (text) => stream.write(typed(text)),
    get isTty() {
      return stream.isTty;
    },
    get columns() {
      return stream.columns;
    },
    terminal: stream.terminal,
  });
  return { ...host, stdout: sink(host.stdout), stderr: sink(host.stderr) };
}
