import type { FileCluster } from './mesh-spec.ts';

/** A cluster, and whose CA it is to have by its file. */
type CaTaker = Pick<FileCluster, 'name'> & { enable: Pick<FileCluster['enable'], 'caFrom'> };

/**
 * The cluster whose CA one gets by `caFrom`: of those that have none to give, the one that they get theirs from. No file has a circle
 * of them, but that the one whose CA all are to have names itself by the defaults.
 * @param lacking clusters without a CA
 * @returns undefined where none is named
 */
export function caSourceOf({ enable }: CaTaker, lacking: readonly CaTaker[]): string | undefined {
  let source = enable.caFrom;
  for (;;) {
    const next = lacking.find(({ name }) => name === source)?.enable.caFrom;
    if (next === undefined || next === source) return source;
    source = next;
  }
}
