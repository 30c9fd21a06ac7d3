import { MeshctlError } from '../../mesh/errors.ts';
import { printableSentence } from '../../views/printable.ts';
import type { Host } from './host.ts';

/**
 * Shows `about` and asks a yes-or-no question, on stderr: stdout is for results. Anything but `y` or `yes` is a no.
 * @param again this run's command line with more words
 * @param unasked the hint where there is nobody to ask: how to do without the question
 * @throws MeshctlError `Usage` where there is nobody to ask; whatever the signal's abortion means
 */
export async function confirm(
  host: Host,
  question: string,
  about: string,
  again: (...words: readonly string[]) => string,
  unasked = `Review the plan with --dry-run, then confirm it: ${again('--yes')}`,
): Promise<boolean> {
  if (!host.keyboard) {
    throw new MeshctlError('Usage', `confirmation needed, but there is no terminal: ${question}`, {
      hint: unasked,
    });
  }
  host.stderr.write(`${about}\n`);
  const answer = await host.keyboard.ask(`${printableSentence(question)} [y/N] `, host.signal);
  return /^y(es)?$/i.test(answer?.trim() ?? '');
}
