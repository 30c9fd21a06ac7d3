import { ADDRESS_CHECKS } from './addresses.ts';
import type { Check } from './check.ts';
import { CONFIG_CHECKS } from './config.ts';
import { IDENTITY_CHECKS } from './identity.ts';
import { VERSION_CHECKS } from './versions.ts';

/** Whether clusters can be of one mesh: all of it can be judged before anything is written. */
export const COMPATIBILITY_CHECKS: readonly Check[] = [
  ...IDENTITY_CHECKS,
  ...CONFIG_CHECKS,
  ...VERSION_CHECKS,
  ...ADDRESS_CHECKS,
];
