import { meshctlCommand, spanWord } from '../command-line.ts';
import { type Forcing, forcingWords } from '../plan/forcing.ts';
import type { Lifetime } from './lifetime.ts';

/** What a run of `certs rotate` was asked for, as far as a further one has to be asked for it too. */
interface Asked {
  ca: boolean;
  asked?: Lifetime | undefined;
  olderThanMs?: number | undefined;
  peer?: string | undefined;
  force: Forcing;
}

/** The command line that asks the same of other clusters, or once more of these. @param context those that take part */
export function rotateCommand(context: readonly string[], { ca, asked = {}, olderThanMs, peer, force }: Asked): string {
  const { keySize, validityMs } = asked;
  return meshctlCommand('clustermesh certs rotate', { context }, [
    ...(ca ? ['--ca'] : []),
    ...(keySize === undefined ? [] : ['--key-size', String(keySize)]),
    ...(validityMs === undefined ? [] : ['--cert-validity', spanWord(validityMs)]),
    ...(olderThanMs === undefined ? [] : ['--older-than', spanWord(olderThanMs)]),
    ...(peer === undefined ? [] : ['--peer', peer]),
    ...(force === false ? [] : forcingWords([], context, force)),
  ]);
}
