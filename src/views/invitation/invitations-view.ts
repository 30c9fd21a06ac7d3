import type { InvitationStanding } from '../../mesh/invitation/record.ts';
import { hintLines } from '../hint-lines.ts';
import { tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';

type Listed = InvitationStanding & { context: string };

/** A table of invitations, below it what each of them waits for. */
export function invitationsText(
  invitations: readonly Listed[],
  theme: Theme,
  { headers }: { headers: boolean } = { headers: true },
): string {
  if (invitations.length === 0) return headers ? 'No invitations' : '';
  const head = ['CONTEXT', 'ID', 'PEER', 'ROLE', 'STATE', 'EXPIRES'].map((text) => ({ text, style: theme.bold }));
  const rows = invitations.map(({ context, id, peer = '-', role, state, expires }) => [
    ...[context, id, peer, role, state],
    `${expires.slice(0, 16)}Z`,
  ]);
  const lines = tableLines(headers ? [head, ...rows] : rows);
  if (!headers) return lines.join('\n');
  for (const { context, id, state, waitsFor, next } of invitations) {
    if (waitsFor !== undefined) lines.push(`${theme.warn('‼')} ${context}: invitation ${id} waits for ${waitsFor}`);
    else if (state === 'expired') lines.push(`${theme.warn('‼')} ${context}: invitation ${id} has expired`);
    if (next !== undefined) lines.push(...hintLines(next, theme));
  }
  return lines.join('\n');
}
