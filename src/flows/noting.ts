import { inWordsWhereUnled } from '../mesh/peers/peers-of-others.ts';
import type { Flow } from './flow.ts';

/**
 * A flow whose warnings are kept too: what a run finds on its way is to be in its document, and not on stderr alone, which who reads
 * the document may have thrown away. What a run finds twice is said once.
 * @returns the flow, and its warnings so far, each once
 */
export function noting<F extends Pick<Flow, 'progress'>>(flow: F): { flow: F; noted: () => string[] } {
  const notes = new Set<string>();
  const { start, warn, info } = flow.progress;
  const progress: Flow['progress'] = {
    start: (text, onlyLong) => start(text, onlyLong),
    warn(said) {
      const text = inWordsWhereUnled(said);
      if (notes.has(text)) return;
      notes.add(text);
      warn(text);
    },
    info: (text) => info(text),
  };
  return { flow: { ...flow, progress }, noted: () => [...notes] };
}

/** Of warnings those that a document does not have otherwise. @param told messages that are in it */
export function besides(notes: readonly string[], told: readonly { message: string }[]): string[] {
  return notes.filter((words) => !told.some(({ message }) => words.includes(message)));
}
