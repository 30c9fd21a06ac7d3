import type { CertificateEntry } from '../mesh/certificate-inventory.ts';
import { type Cell, tableLines } from './table.ts';
import type { Theme } from './theme.ts';

/** Certificates are renewed when fewer days than this are left. */
const SOON_DAYS = 30;

/** A table of certificates by cluster. */
export function certificatesText(entries: readonly CertificateEntry[], theme: Theme): string {
  if (entries.length === 0) return 'No certificates of Cluster Mesh';
  const head = ['CONTEXT', 'ROLE', 'SUBJECT', 'ISSUER', 'EXPIRES IN', 'NAMES', 'USED BY'].map((text) => ({
    text,
    style: theme.bold,
  }));
  const rows = entries.map((entry): (Cell | string)[] => [
    entry.context,
    entry.role,
    entry.subject,
    entry.issuer,
    { text: expiryText(entry.expiresInDays), style: styleOf(entry.expiresInDays, theme) },
    namesText(entry.sans),
    entry.usedBy,
  ]);
  return tableLines([head, ...rows]).join('\n');
}

function expiryText(days: number): string {
  return days < 0 ? `expired ${-days} d ago` : `${days} d`;
}

function styleOf(days: number, theme: Theme): (text: string) => string {
  if (days < 0) return theme.fail;
  return days < SOON_DAYS ? theme.warn : String;
}

function namesText(names: readonly string[]): string {
  if (names.length === 0) return '-';
  const [first, second] = names;
  return names.length > 2 ? `${first}, ${second} +${names.length - 2}` : names.join(', ');
}
