/** With which certificate the pods dial a peer, as far as they tell. */
export type DialledWith = 'renewed' | 'former' | 'some-untold' | 'all-untold';

/**
 * What pods tell of the certificate with which they dial a peer. One that does not tell proves nothing, and one that still has
 * the former certificate says more than those that do not tell.
 * @param serials of each pod that dials; undefined where it does not tell
 * @param renewed of the certificate that is new
 */
export function dialledWith(serials: readonly (string | undefined)[], renewed: string): DialledWith {
  const known = serials.filter((serial) => serial !== undefined);
  if (known.length === 0) return 'all-untold';
  if (known.some((serial) => serial !== renewed)) return 'former';
  return known.length === serials.length ? 'renewed' : 'some-untold';
}
