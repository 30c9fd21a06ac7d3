import pLimit from 'p-limit';
import { MeshctlError } from '../../mesh/errors.ts';
import type { ProbePlace } from '../../mesh/probe/places.ts';
import { isSent, type ProbeTest } from '../../mesh/probe/tests.ts';
import type { Evidence } from '../../mesh/probe/verdict.ts';
import { readSaid, readSightings, type Said, type Sightings, testWord } from '../../mesh/probe/words.ts';
import type { Station } from './station.ts';

/** Tests of one command: each is a process of its own on the node. */
const AT_ONCE = 24;
const MOST_CHARACTERS = 3000;
/** So many commands run at the same time, on all nodes together. */
export const MOST_EXECS = 64;

/** Sends all tests, each from its place, and asks all places what they saw. */
export async function gather(stations: readonly Station[], tests: readonly ProbeTest[]): Promise<Evidence> {
  const limit = pLimit(MOST_EXECS);
  const said = new Map<string, Said>();
  const unsent = new Map<ProbePlace, string>();
  await Promise.all(
    stations.map(async ({ place, run }) => {
      const own = tests.filter((test) => test.from === place && isSent(test));
      for (const words of batches(own.map(testWord))) {
        try {
          const stdout = await limit(() => run('send', words));
          for (const [id, what] of readSaid(stdout)) said.set(id, what);
        } catch (error) {
          if (!(error instanceof MeshctlError) || error.code === 'Interrupted') throw error;
          unsent.set(place, error.message);
          return;
        }
      }
    }),
  );
  const sightings = new Map<ProbePlace, Sightings>();
  const unseen = new Map<ProbePlace, string>();
  await Promise.all(
    stations.map(({ place, run }) =>
      limit(async () => {
        try {
          const all = readSightings(await run('collect', []));
          if (all) sightings.set(place, all);
          else unseen.set(place, 'its watch did not last until it was collected');
        } catch (error) {
          if (!(error instanceof MeshctlError) || error.code === 'Interrupted') throw error;
          unseen.set(place, error.message);
        }
      }),
    ),
  );
  return { said, sightings, unseen, unsent };
}

/** What one command is given: so many tests, and no more than goes into a request's URL. */
function batches(words: readonly string[]): string[][] {
  const all: string[][] = [];
  let room = 0;
  for (const word of words) {
    if (room < word.length || (all.at(-1)?.length ?? 0) >= AT_ONCE) {
      all.push([]);
      room = MOST_CHARACTERS;
    }
    all.at(-1)?.push(word);
    room -= word.length;
  }
  return all;
}
