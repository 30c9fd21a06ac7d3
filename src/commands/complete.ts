import { asBashReplies, splitBashLine } from './completion/bash-words.ts';
import { type Answer, answerText, answerTo } from './completion/candidates.ts';
import { type CompletionWorld, knownValues } from './completion/known-values.ts';
import { readTypedLine, type Vocabulary } from './completion/typed-line.ts';
import { parseDuration } from './options/option-values.ts';

/** Whoever pressed TAB waits: what the clusters have not said by then, they do not say. */
const WITHIN_MS = 300;
const NOTHING: Answer = { candidates: [] };

/**
 * `meshctl __complete`, which the scripts of `meshctl completion` call at each TAB, in one of three ways:
 * - `-- WORD…`, without quotes, the last one being under the cursor, as cobra's programs take it;
 * - `--current=WORD -- WORD…` for shells that lose an empty last word;
 * - `--bash=BREAKS -- LINE` for bash, up to the cursor.
 * @returns `value<TAB>description` lines and last `:` with cobra's bits, whatever happens: never rejects
 */
export async function completionOf(
  argv: readonly string[],
  vocabulary: Vocabulary,
  world: Omit<CompletionWorld, 'withinMs'>,
): Promise<string> {
  const withinMs = timeoutIn(world.env);
  try {
    const { words, reply } = requestIn(argv);
    const line = readTypedLine(vocabulary, words, world.env);
    const answer = await answerTo(vocabulary, line, (question) =>
      within(withinMs, world.signal, (signal) => knownValues({ ...world, signal, withinMs }, question), []),
    );
    return answerText(reply(answer, line.lead));
  } catch {
    return answerText(NOTHING);
  }
}

interface Request {
  words: readonly string[];
  /** The answer as this shell puts it in. */
  reply(answer: Answer, lead: string): Answer;
}

function requestIn(argv: readonly string[]): Request {
  const [first = ''] = argv;
  const [, name, value = ''] = /^--(bash|current)=(.*)$/s.exec(first) ?? [];
  const rest = argv.slice(name === undefined ? 0 : 1);
  // PowerShell may have kept it for itself.
  const words = rest[0] === '--' ? rest.slice(1) : rest;
  if (name === 'current') return { words: [...words, value], reply: (answer) => answer };
  if (name !== 'bash') return { words, reply: (answer) => answer };
  const line = splitBashLine(words[0] ?? '', value);
  return {
    words: line.words.slice(1),
    reply: (answer, lead) => ({ ...answer, candidates: asBashReplies(answer.candidates, line, lead) }),
  };
}

/** `MESHCTL_COMPLETION_TIMEOUT`, in milliseconds: some plugins take a second to give a token. */
function timeoutIn({ MESHCTL_COMPLETION_TIMEOUT: text }: CompletionWorld['env']): number {
  try {
    return text ? parseDuration(text) : WITHIN_MS;
  } catch {
    return WITHIN_MS;
  }
}

/**
 * What work gives, or `otherwise` when it fails, when its time is over, or when nobody wants to know any more. At its end
 * work may still give at once what it has so far.
 */
async function within<T>(
  ms: number,
  stopped: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  otherwise: T,
): Promise<T> {
  const abort = new AbortController();
  const over = () => abort.abort();
  const timer = setTimeout(over, ms);
  stopped.addEventListener('abort', over, { once: true });
  // Not all of the work hears the signal: the look-up of a host does not.
  const late = new Promise<T>((resolve) => {
    abort.signal.addEventListener('abort', () => setImmediate(() => resolve(otherwise)), { once: true });
  });
  try {
    return await Promise.race([work(abort.signal), late]);
  } catch {
    return otherwise;
  } finally {
    clearTimeout(timer);
    stopped.removeEventListener('abort', over);
    abort.abort();
  }
}
