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

/** How wide the lines of a sink are: a terminal knows it, elsewhere COLUMNS may say it, as `watch` does. */
export function columnsOf(env: Host['env'], sink: TextSink): number | undefined {
  const columns = sink.isTty && sink.columns ? sink.columns : Number(env.COLUMNS);
  return Number.isInteger(columns) && columns > 0 ? columns : undefined;
}

const asItIs = (text: string): string => text;
const WITHOUT_COLOUR: Theme = { bold: asItIs, dim: asItIs, ok: asItIs, warn: asItIs, fail: asItIs };

/** The styles of all text views. */
export async function createTheme(colour: boolean): Promise<Theme> {
  if (!colour) return WITHOUT_COLOUR;
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { bold: chalk.bold, dim: chalk.dim, ok: chalk.green, warn: chalk.yellow, fail: chalk.red };
}
