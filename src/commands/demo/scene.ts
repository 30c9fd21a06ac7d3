import { setTimeout as delay } from 'node:timers/promises';
import type { Tally } from '../../mesh/connectivity/connectivity.ts';
import type { CommandContext } from '../command.ts';

/** One step of the story. */
export interface Scene {
  /** What the audience is told. */
  tells: string;
  /** The command line, shown as typed. */
  line: string;
  /**
   * @param done what follows as soon as it has come to its end, also after Ctrl-C
   * @returns what it says, beyond what it prints itself
   */
  play(done?: () => Promise<unknown>): Promise<string>;
}

/** Between the letters of a command line, as a share of the pace. */
const TYPING_SHARE = 1 / 100;
const BAR_WIDTH = 40;

/** Shows a scene and plays it. @param paceMs after it, where someone watches; else 0 */
export async function playScene({ print, theme, signal }: CommandContext, scene: Scene, paceMs: number): Promise<void> {
  print(`\n${theme.dim(`# ${scene.tells}`)}\n`);
  await type(`$ ${scene.line}`, { print: (text) => print(theme.bold(text)), letterMs: paceMs * TYPING_SHARE, signal });
  print('\n');
  const says = await scene.play();
  if (says) print(`${says}\n`);
  if (paceMs > 0) await delay(paceMs, undefined, { signal });
}

/** Prints a line letter by letter, or at once where nobody watches. */
async function type(
  line: string,
  { print, letterMs, signal }: { print(text: string): void; letterMs: number; signal: AbortSignal },
): Promise<void> {
  if (letterMs === 0) {
    print(line);
    return;
  }
  for (const letter of line) {
    print(letter);
    await delay(letterMs, undefined, { signal });
  }
}

/** How many requests each cluster answered, as bars. */
export function answersOf({ theme }: CommandContext, { sent, answered, answeredBy }: Tally): string {
  const bars = Object.entries(answeredBy)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([cluster, count]) => `  ${cluster}  ${'█'.repeat(Math.ceil((count / sent) * BAR_WIDTH))} ${count}`);
  const failed = sent - answered;
  const verdict = failed === 0 ? theme.ok('none failed') : theme.fail(`${failed} failed`);
  return [...bars, `  ${sent} requests, ${verdict}`].join('\n');
}
