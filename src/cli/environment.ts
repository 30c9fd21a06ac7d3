import { type Command, Option } from 'commander';
import type { CommandSpec, OptionSpec } from '../commands/command-spec.ts';
import { optionsOf } from '../commands/options/shared-options.ts';
import type { MeshctlError } from '../mesh/errors.ts';
import { valueOrReport } from './options.ts';
import type { Host } from './terminal/host.ts';

/**
 * Takes from the environment what no flag says. A flag wins, an empty variable is none, and what is wrong with a value names
 * the variable. Commander's own way reads the process's environment, not the host's.
 * @param words the command's arguments
 */
export function takeVariables(
  command: Command,
  specs: readonly OptionSpec[],
  { env, words }: Pick<Host, 'env'> & { words: Readonly<Record<string, unknown>> },
  report: (fault: MeshctlError) => void,
): void {
  const given = { ...command.opts(), ...words };
  for (const spec of specs) {
    const text = spec.env && env[spec.env.name];
    if (!spec.env || !text || spec.env.unless?.(given)) continue;
    const name = new Option(spec.flags).attributeName();
    if (command.getOptionValueSource(name) === 'cli') continue;
    command.setOptionValueWithSource(
      name,
      valueOrReport({ ...spec, ...(spec.env.parse ? { parse: spec.env.parse } : {}) }, text, spec.env.name, report),
      'env',
    );
  }
}

/** An environment without the variables that stand in for flags: for a command line that says all of it itself. */
export function withoutVariables(env: Host['env'], commands: readonly CommandSpec[]): Host['env'] {
  const names = new Set(
    commands.flatMap((spec) => optionsOf(spec).flatMap(({ env: variable }) => variable?.name ?? [])),
  );
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.has(name)));
}
