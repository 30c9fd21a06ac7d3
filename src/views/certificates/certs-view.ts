import type { CertificateEntry, CertificateFault } from '../../mesh/certificates/inventory.ts';
import { counted } from '../../mesh/counted.ts';
import { groupBy, MANY_ALIKE } from '../../mesh/pairs.ts';
import { hintLines, withHintsOnce } from '../hint-lines.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { NOTHING_READ } from '../unreachable-view.ts';

/** Enough to tell serial numbers apart. */
const SERIAL_DIGITS = 8;
/** Enough to tell CAs of one name apart. */
const FINGERPRINT_DIGITS = 6;
/** The widest columns: the table fits 100 of a terminal's. */
const WIDEST = { context: 20, role: 15, subject: 22, issuer: 12 };

/** In a list of so many rows, those of peers that are well are one for each cluster, and the last line counts. */
const MANY_ROWS = 40;

/** Secrets of a cluster that may not be read, in words. */
export interface UnreadSecrets {
  context: string;
  secrets: readonly string[];
}

interface CertificatesReport {
  certificates: readonly CertificateEntry[];
  faults: readonly CertificateFault[];
  /** Rotations of CAs that have not come to their end. */
  rotations: readonly { context: string; says: string; hint: string }[];
  unread: readonly UnreadSecrets[];
  /** Whether any cluster could be read; else nothing is known of certificates. */
  read: boolean;
}

/** A row of the table, and how bad it is. */
interface Row {
  context: string;
  cells: (Cell | string)[];
  /** Days that are left of what ends soon, has ended or is of no use, none of what is not there; undefined where all is well. */
  trouble?: number | undefined;
  /** Of the certificate with which a peer is dialled. */
  ofPeer?: CertificateEntry | undefined;
}

/**
 * A table of certificates: first a row for each that is not there, cannot be read or ends soon, then the others by cluster; below
 * it what is wrong. Names, users and whole serial numbers are in the data.
 * @param wide a row for each of them, however many there are
 */
export function certificatesText(
  { certificates: entries, faults, rotations, unread, read }: CertificatesReport,
  theme: Theme,
  { headers, wide = false }: { headers: boolean; wide?: boolean } = { headers: true },
): string {
  if (entries.length === 0 && faults.length === 0) {
    if (!headers) return '';
    if (!read) return NOTHING_READ;
    return `No certificates of Cluster Mesh${unread.length > 0 ? ' that may be read' : ''}`;
  }
  const head = ['CONTEXT', 'ROLE', 'SUBJECT', 'ISSUER', 'SERIAL', 'EXPIRES IN'].map((text) => ({
    text,
    style: theme.bold,
  }));
  const namesakes = namesOfSeveral(entries);
  const isOf = (entry: CertificateEntry) => (fault: CertificateFault) =>
    entry.context === fault.context && entry.secret === fault.secret && entry.peer === fault.peer;
  const isWrong = (entry: CertificateEntry) =>
    entry.expiresInDays < 0 || entry.notYetValid || entry.endsSoon || faults.some(isOf(entry));
  const rows: Row[] = [
    ...entries.map((entry) => ({
      context: entry.context,
      cells: entryCells(entry, namesakes, theme),
      trouble: isWrong(entry) ? (entry.notYetValid ? -1 : entry.expiresInDays) : undefined,
      ofPeer: entry.role === 'peer' ? entry : undefined,
    })),
    ...faults
      .filter((fault) => !entries.some((entry) => isOf(entry)(fault)))
      .map((fault) => ({ context: fault.context, cells: lackCells(fault, theme), trouble: -Infinity })),
  ];
  const troubled = rows.filter(({ trouble }) => trouble !== undefined);
  const well = rows.filter((row) => !troubled.includes(row));
  const contexts = [...new Set(rows.map(({ context }) => context))];
  const isMany = rows.length >= MANY_ROWS;
  const cells = [
    ...troubled.sort(({ trouble: one = 0 }, { trouble: other = 0 }) => (one === other ? 0 : one - other)),
    ...contexts.flatMap((context) => {
      const own = well.filter((row) => row.context === context);
      // What a program reads has a row for each.
      return isMany && headers && !wide ? withPeersAsOne(context, own) : own;
    }),
  ].map((row) => row.cells);
  if (!headers) return tableLines(cells).join('\n');
  const lines = tableLines([head, ...cells]);
  for (const { context, says, hint, outage } of withHintsOnce(faults)) {
    lines.push(`${outage ? theme.fail('✗') : theme.warn('‼')} ${context}: ${says}`, ...hintLines(hint, theme));
  }
  for (const { context, says, hint } of withHintsOnce(rotations)) {
    lines.push(`${theme.warn('‼')} ${context}: ${says}`, ...hintLines(hint, theme));
  }
  if (isMany) lines.push(countLine(entries, rows.length - entries.length, contexts.length));
  return lines.join('\n');
}

/** Certificates for peers in one row, with the time that is left of the first that ends. */
function withPeersAsOne(context: string, rows: readonly Row[]): Row[] {
  const ofPeers = rows.flatMap(({ ofPeer }) => ofPeer ?? []);
  if (ofPeers.length < MANY_ALIKE) return [...rows];
  const days = ofPeers.map(({ expiresInDays }) => expiresInDays);
  const [first, last] = [Math.min(...days), Math.max(...days)];
  const left = first === last ? `${first} d` : `${first} d to ${last} d`;
  const place = [shortened(context, WIDEST.context), `${ofPeers.length} peers`];
  return [
    ...rows.filter(({ ofPeer }) => !ofPeer),
    { context, cells: [...place, '(each with -o wide)', '-', '-', left] },
  ];
}

/** `423 certificates in 20 clusters: 1 expired, 2 end soon, 1 missing or unreadable`. */
function countLine(entries: readonly CertificateEntry[], lacking: number, clusters: number): string {
  const expired = entries.filter(({ expiresInDays }) => expiresInDays < 0).length;
  const early = entries.filter(({ notYetValid }) => notYetValid).length;
  const ending = entries.filter((entry) => entry.expiresInDays >= 0 && !entry.notYetValid && entry.endsSoon).length;
  const parts = [
    ...(expired > 0 ? [`${expired} expired`] : []),
    ...(early > 0 ? [`${early} not valid yet`] : []),
    ...(ending > 0 ? [`${ending} to be renewed soon`] : []),
    ...(lacking > 0 ? [`${lacking} missing or unreadable`] : []),
  ];
  const soonest = Math.min(...entries.map(({ expiresInDays }) => expiresInDays));
  const state = parts.length > 0 ? parts.join(', ') : `the first expires in ${soonest} d`;
  return `${counted(entries.length, 'certificate')} in ${counted(clusters, 'cluster')}: ${state}`;
}

/** What is not in the table, and may be in the cluster. */
export function unreadWords({ context, secrets }: UnreadSecrets): string {
  return `context "${context}": no right to read, so not listed: ${secrets.join(', ')}`;
}

/** `secret/NAME` of each Secret that holds a certificate, a line each: of several clusters the same name counts once. */
export function certificateSecrets(
  { certificates }: Pick<CertificatesReport, 'certificates'>,
  ofSeveral: boolean,
): string {
  const names = certificates.map(({ context, secret }) => `${ofSeveral ? `${context} ` : ''}secret/${secret}`);
  return [...new Set(names)].join('\n');
}

/** What is said below the table, a sentence each. */
export function certificateNotes({ faults, rotations }: Pick<CertificatesReport, 'faults' | 'rotations'>): string[] {
  return [...faults, ...rotations].map(({ context, says, hint }) => `${context}: ${says} → ${hint}`);
}

/** The names that several CAs of the list have: Cilium's are all called the same. */
function namesOfSeveral(entries: readonly CertificateEntry[]): ReadonlySet<string> {
  const known = entries.filter(({ issuerSha256 }) => issuerSha256 !== undefined);
  const named = [...groupBy(known, ({ issuer }) => issuer)];
  return new Set(
    named.flatMap(([name, alike]) => (new Set(alike.map(({ issuerSha256 }) => issuerSha256)).size > 1 ? name : [])),
  );
}

/** Of CAs with one name, each has the first digits of its fingerprint beside it. */
function issuerText({ issuer, issuerSha256 }: CertificateEntry, namesakes: ReadonlySet<string>): string {
  const name = shortened(issuer, WIDEST.issuer);
  return issuerSha256 !== undefined && namesakes.has(issuer)
    ? `${name} ${issuerSha256.slice(0, FINGERPRINT_DIGITS)}`
    : name;
}

function entryCells(entry: CertificateEntry, namesakes: ReadonlySet<string>, theme: Theme): (Cell | string)[] {
  return [
    ...placeCells(entry),
    shortened(entry.subject, WIDEST.subject),
    issuerText(entry, namesakes),
    `${entry.serial.slice(0, SERIAL_DIGITS)}${entry.serial.length > SERIAL_DIGITS ? '…' : ''}`,
    { text: expiryText(entry), style: styleOf(entry, theme) },
  ];
}

/** Of what is not there, nothing can be said but that. */
function lackCells(fault: CertificateFault, theme: Theme): (Cell | string)[] {
  const text = fault.id.endsWith('-missing') ? 'not there' : 'not readable';
  return [...placeCells(fault), { text, style: theme.fail }, '-', '-', '-'];
}

function placeCells({ context, role, peer }: Pick<CertificateEntry, 'context' | 'role' | 'peer'>): string[] {
  return [shortened(context, WIDEST.context), shortened(peer === undefined ? role : `${role} ${peer}`, WIDEST.role)];
}

function expiryText({ expiresInDays: days, endsWith, notYetValid, notBefore }: CertificateEntry): string {
  if (notYetValid) return `${days} d, not valid before ${notBefore}`;
  const left = days < 0 ? `expired ${-days} d` : `${days} d`;
  return endsWith === undefined ? left : `${left}, with CA ${shortened(endsWith, WIDEST.issuer)}`;
}

function styleOf({ expiresInDays, endsSoon, notYetValid }: CertificateEntry, theme: Theme): (text: string) => string {
  if (expiresInDays < 0 || notYetValid) return theme.fail;
  return endsSoon ? theme.warn : String;
}

/** Start and end are left: contexts of clouds begin alike, and end with the cluster's name. */
function shortened(text: string, most: number): string {
  const characters = [...text];
  if (characters.length <= most) return text;
  const end = Math.floor((most - 1) / 2);
  return `${characters.slice(0, most - 1 - end).join('')}…${characters.slice(characters.length - end).join('')}`;
}
