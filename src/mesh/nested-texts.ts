/**
 * A copy of plain data with every text in it changed, however deep it stands.
 * @param changeKey what becomes of names of fields, which stay where it is absent
 */
export function withTexts(
  value: unknown,
  change: (text: string) => string,
  changeKey: (key: string) => string = (key) => key,
): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((entry) => withTexts(entry, change, changeKey));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [changeKey(key), withTexts(entry, change, changeKey)]),
  );
}
