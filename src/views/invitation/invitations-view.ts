import { endOfStanding, type InvitationStanding } from '../../mesh/invitation/record.ts';
import { shownTime } from '../../mesh/invitation/validity.ts';
import { hintLines } from '../hint-lines.ts';
import { tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { NOTHING_READ } from '../unreachable-view.ts';

type Listed = InvitationStanding & { context: string };

/**
 * A table of invitations, below it what each of them waits for.
 * @param read whether any cluster could be read; else nothing is known of invitations
 */
export function invitationsText(
  invitations: readonly Listed[],
  theme: Theme,
  { headers = true, read = true }: { headers?: boolean; read?: boolean } = {},
): string {
  if (invitations.length === 0) return headers ? (read ? 'No invitations' : NOTHING_READ) : '';
  const head = ['CONTEXT', 'ID', 'PEER', 'ROLE', 'STATE', 'EXPIRES'].map((text) => ({ text, style: theme.bold }));
  const rows = invitations.map(({ context, id, peer = '-', role = '-', state, expires }) => [
    ...[context, id, peer, role, state],
    expires === undefined ? '-' : shownTime(new Date(expires)),
  ]);
  const lines = tableLines(headers ? [head, ...rows] : rows);
  if (!headers) return lines.join('\n');
  for (const { says, next } of invitations.map(noteOf)) {
    if (says !== undefined) lines.push(`${theme.warn('‼')} ${says}`);
    if (next !== undefined) lines.push(...hintLines(next, theme));
  }
  return lines.join('\n');
}

/** Each once, also where both sides of it are listed. */
export function invitationIds(invitations: readonly Pick<Listed, 'id'>[]): string[] {
  return [...new Set(invitations.map(({ id }) => id))];
}

/** What each of them waits for, in a line with its next step, where the table is only rows. */
export function invitationNotes(invitations: readonly Listed[]): string[] {
  return invitations
    .map(noteOf)
    .flatMap(({ says, next }) =>
      says === undefined ? [] : [[says, ...(next === undefined ? [] : [next])].join(' → ')],
    );
}

function noteOf(listed: Listed): { says?: string; next?: string | undefined } {
  const { context, id, waitsFor, next } = listed;
  const what = waitsFor !== undefined ? `waits for ${waitsFor}` : endOfStanding(listed);
  return { ...(what === undefined ? {} : { says: `${context}: invitation ${id} ${what}` }), next };
}
