import { Chalk } from 'chalk';
import type { Theme } from '../../views/theme.ts';
import type { Host, TextSink } from './host.ts';

/**
 * Colour for a sink: --color decides, else FORCE_COLOR and NO_COLOR, else whether it is a terminal (https://no-color.org).
 * @param when as --color takes it
 */
export function colourWanted(env: Host['env'], sink: TextSink, when: unknown = 'auto'): boolean {
  if (when === 'always' || when === 'never') return when === 'always';
  const force = env.FORCE_COLOR;
  if (force !== undefined) return force !== '0' && force !== 'false';
  if (env.NO_COLOR) return false;
  return sink.isTty && env.TERM !== 'dumb';
}

/** The styles of all text views. */
export function createTheme(colour: boolean): Theme {
  const chalk = new Chalk({ level: colour ? 1 : 0 });
  return { bold: chalk.bold, dim: chalk.dim, ok: chalk.green, warn: chalk.yellow, fail: chalk.red };
}
