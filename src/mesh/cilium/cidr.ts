/*
 * Without ipaddr.js: flags are read by this, so `--help` would load it (test/cli/help.test.ts).
 */

/** A range of addresses as numbers, both ends included. */
export interface AddressRange {
  family: 4 | 6;
  first: bigint;
  last: bigint;
}

/** The IP families, in the order in which they are told. */
export const IP_FAMILIES = [4, 6] as const;

const BITS = { 4: 32n, 6: 128n } as const;

/** The range that `10.0.0.0/16`, `fd00::/64` or a single address means; undefined for anything else. */
export function parseCidr(text: string): AddressRange | undefined {
  const [address = '', length] = text.trim().split('/', 2);
  const family = familyOf(address);
  const value = family === 6 ? ipv6Value(address) : ipv4Value(address);
  const bits = BITS[family];
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? BigInt(length) : -1n;
  if (value === undefined || prefix < 0n || prefix > bits) return undefined;
  const hosts = bits - prefix;
  const first = (value >> hosts) << hosts;
  return { family, first, last: first + (1n << hosts) - 1n };
}

/** The IP family of an address. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/**
 * One spelling for each IPv6 address, so that `2001:DB8:0::1` and `2001:db8::1` are equal; of anything else what it is. The URL
 * standard defines it.
 */
export function canonicalIp(address: string): string {
  if (!address.includes(':')) return address;
  const url = `http://[${address}]/`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : address;
}

/** Whether two ranges have an address in common. */
export function overlap(a: AddressRange, b: AddressRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** Whether a text is an IP address as Kubernetes takes one: no `10` and no `0x7f.1`, which inet_aton takes. */
export function isAddress(text: string): boolean {
  return !text.includes('/') && parseCidr(text) !== undefined;
}

/** Whether a text is a range, with its length: `10.0.0.0/8`. */
export function isCidr(text: string): boolean {
  return text.includes('/') && parseCidr(text) !== undefined;
}

function ipv4Value(address: string): bigint | undefined {
  const parts = address.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return undefined;
  return parts.reduce((value, part) => (value << 8n) + BigInt(part), 0n);
}

/** The URL standard's parser knows all spellings of an IPv6 address; it gives groups without leading zeros, one `::`. */
function ipv6Value(address: string): bigint | undefined {
  if (!URL.canParse(`http://[${address}]/`)) return undefined;
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [front, back] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - front.length - back.length }, () => '0');
  return [...front, ...zeros, ...back].reduce((value, group) => (value << 16n) + BigInt(`0x${group}`), 0n);
}
