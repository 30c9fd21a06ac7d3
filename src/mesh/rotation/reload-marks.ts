import { peersIn, withLine } from '../peers/file/peer-config.ts';

/** As {@link withLine} says. It is there while two CAs are trusted, and goes with the former one, so that the file is then as it was. */
const RELOAD_MARK = /^# meshctl: rotated .*\n/m;

/** The peering files among a Secret's texts, each with a mark that no earlier one had. */
export function markFiles(texts: Readonly<Record<string, string>>, now: Date): Record<string, string> {
  const mark = `# meshctl: rotated ${now.toISOString()}\n`;
  return Object.fromEntries(peersIn(texts).map((peer) => [peer, withLine(texts[peer] ?? '', RELOAD_MARK, mark)]));
}

/** Those that have a mark, without it; with `all`, the others too, as they are. */
export function unmarkFiles(
  texts: Readonly<Record<string, string>>,
  { all = false }: { all?: boolean } = {},
): Record<string, string> {
  const marked = peersIn(texts).filter((peer) => all || RELOAD_MARK.test(texts[peer] ?? ''));
  return Object.fromEntries(marked.map((peer) => [peer, withoutMark(texts[peer] ?? '')]));
}

/** Whether one of the peering files among a Secret's texts has the mark. */
export function hasReloadMark(texts: Readonly<Record<string, string>>): boolean {
  return peersIn(texts).some((peer) => RELOAD_MARK.test(texts[peer] ?? ''));
}

function withoutMark(text: string): string {
  return text.replace(RELOAD_MARK, '');
}
