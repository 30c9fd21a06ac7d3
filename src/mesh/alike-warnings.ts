import { foldAlike } from './pairs.ts';

/** A warning about one context, as meshctl writes it. */
const OF_CONTEXT = /^context ("[^"]+"): ([\s\S]+)$/;

/**
 * Warnings, those that say the same of many contexts as one: `contexts "a", "b", "c": …`. In a large mesh what is so everywhere would
 * hide what is so in one place.
 */
export function alikeWarnings(warnings: readonly string[]): string[] {
  const parsed = [...new Set(warnings)].map((text) => {
    const [, context = '', says = text] = OF_CONTEXT.exec(text) ?? [];
    return { text, context, says };
  });
  return foldAlike(parsed, ({ says }) => says).flatMap((alike) => {
    const contexts = alike.map(({ context }) => context).join(', ');
    return alike.slice(0, 1).map(({ text, says }) => (alike.length === 1 ? text : `contexts ${contexts}: ${says}`));
  });
}
