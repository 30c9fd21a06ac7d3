import type { FileCluster } from './mesh-spec.ts';

/** A cluster, and whose CA it is to have by its file. */
type CaTaker = Pick<FileCluster, 'name'> & { enable: Pick<FileCluster['enable'], 'caFrom'> };

/**
 * The cluster whose CA one gets by `caFrom`: of those that have none to give, the one that they get theirs from. Of clusters that
 * name each other in a circle it is the first, so that all of them get the same.
 * @param lacking clusters without a CA, in the order of the files
 * @returns undefined where none is named
 */
export function caSourceOf({ enable }: CaTaker, lacking: readonly CaTaker[]): string | undefined {
  const passed: string[] = [];
  for (let at = enable.caFrom; at !== undefined; ) {
    const next = lacking.find(({ name }) => name === at)?.enable.caFrom;
    if (next === undefined) return at;
    if (passed.includes(at)) {
      const circle = passed.slice(passed.indexOf(at));
      return lacking.find(({ name }) => circle.includes(name))?.name;
    }
    passed.push(at);
    at = next;
  }
  return undefined;
}
