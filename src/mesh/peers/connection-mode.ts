import { pairsOf } from '../pairs.ts';

/** cilium-cli's: the source with each destination, every two of all, or only the source dialling the destinations. */
export const CONNECTION_MODES = ['bidirectional', 'mesh', 'unicast'] as const;
export type ConnectionMode = (typeof CONNECTION_MODES)[number];

/** Who dials whom, as `[client, server]`. */
export function dialsOf<T>(mode: ConnectionMode, source: T | undefined, destinations: readonly T[]): [T, T][] {
  const others = source === undefined ? [] : destinations.map((destination): [T, T] => [source, destination]);
  if (mode === 'unicast') return others;
  const pairs = mode === 'mesh' ? pairsOf(source === undefined ? destinations : [source, ...destinations]) : others;
  return pairs.flatMap(([one, other]): [T, T][] => [
    [one, other],
    [other, one],
  ]);
}
