/** What a result of --no-wait is told by, beside what it has written. */
const NOT_LOOKED = 'it was not waited for (--no-wait), so that it is not known whether it has taken effect';

/**
 * Whether a run that ends connections was seen to have taken effect, as data. Of one that was not to look nobody says that it was.
 * @param verified as far as that was to be looked at
 * @param look what shows it later
 */
export function seenData(verified: boolean, looked: boolean, look: string) {
  if (looked) return { seen: { verified }, unlooked: [] };
  const seen = verified ? { looked: false } : { verified, looked: false };
  return { seen, unlooked: [`${NOT_LOOKED} → ${look}`] };
}
