import type { Member } from '../connect/member.ts';
import type { Contexts } from '../faults/fault-advice.ts';
import { maybeSilent, type SilentContext } from '../peers/silent-peers.ts';

/** Where the contexts of peers are known, and are among those that this run could not read: which ones, in words. */
export function unreadContexts(
  peers: readonly string[],
  contexts: Contexts,
  silent: readonly SilentContext[] = [],
): string | undefined {
  const known = peers
    .flatMap((peer) => contexts.get(peer) ?? [])
    .filter((name) => silent.some(({ context }) => context === name));
  if (known.length === 0) return undefined;
  return `context ${known.map((name) => `"${name}"`).join(', ')} could not be read`;
}

/** To whom a cluster is connected that is no member of the run, and why, as the beginning of a sentence. */
export function describeStrangers(
  { snapshot }: Member,
  strangers: readonly string[],
  contexts: Contexts,
  silent: readonly SilentContext[] = [],
): string {
  const unknown = strangers.filter((peer) => !contexts.has(peer));
  const unread = unreadContexts(strangers, contexts, silent);
  const who = unread
    ? ` (${unread})`
    : silent.length > 0 && unknown.length > 0
      ? ` (${maybeSilent(unknown, silent)})`
      : ', for which no context was given';
  return `context "${snapshot.context}": connected to ${strangers.join(', ')}${who}`;
}
