import type { Flow } from './flow.ts';

/** How long what is late is waited for after the last one that has answered. */
const GRACE_MS = 3000;
const TICK_MS = 100;

/** What is said of one that is late. */
export const lateWords = (context: string): string => `context "${context}": no answer yet; it is still being asked`;

/**
 * Waits for work that goes on in several clusters at once, and not for one that hangs: when a few seconds have gone by since the last
 * one answered, the others are late. Their work goes on, and its failure is then whoever's who keeps it. Until any has answered, all
 * are waited for.
 * @param isAnswer whether a result is one; a failure says nothing of how long answers take
 * @param isHopeless whether nobody expects one to end soon, so that no other has to wait for it
 * @returns the results in the order of the work; undefined for what is late
 */
export async function untilQuiet<T extends object>(
  { clock, signal }: Pick<Flow, 'clock' | 'signal'>,
  work: readonly Promise<T>[],
  isAnswer: (result: T) => boolean,
  isHopeless: (index: number) => boolean = () => false,
): Promise<(T | undefined)[]> {
  const results: (T | undefined)[] = work.map(() => undefined);
  let answeredAt: number | undefined;
  const all = Promise.all(
    work.map(async (one, index) => {
      const result = await one;
      results[index] = result;
      if (isAnswer(result)) answeredAt = clock.ms();
    }),
  );
  for (;;) {
    await Promise.race([all, clock.sleep(TICK_MS, signal)]);
    const isLeft = (wanted: boolean) =>
      results.some((result, index) => result === undefined && isHopeless(index) === wanted);
    if (!isLeft(false) && !isLeft(true)) return results;
    if (answeredAt === undefined || (isLeft(false) && clock.ms() - answeredAt <= GRACE_MS)) continue;
    all.catch(() => undefined);
    return results;
  }
}
