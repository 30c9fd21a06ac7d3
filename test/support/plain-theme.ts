import type { Theme } from '../../src/views/theme.ts';

const same = (text: string): string => text;

/** Without colours, as a terminal has none. */
export const PLAIN: Theme = { bold: same, dim: same, ok: same, warn: same, fail: same };
