/** How far the clocks of two owners may be apart. */
export const OWNERS_CLOCKS_APART_MS = 5 * 60_000;

/**
 * No invitation is good for longer: that it was used, or revoked, is to be remembered until none of its messages is good any
 * more.
 */
export const LONGEST_INVITATION_MS = 30 * 86_400_000;

/** A time as operators read it, to the minute, which is never later than it: `2026-06-01T12:00Z`. */
export function shownTime(time: Date): string {
  return `${time.toISOString().slice(0, 16)}Z`;
}
