import { type AddressRange, IP_FAMILIES, overlap } from '../cilium/cidr.ts';

/** A prefix as firewalls take it. */
export interface Prefix {
  /** `10.0.3.0/24`; a single address as `10.0.3.7/32`. */
  cidr: string;
  family: 4 | 6;
  /** How many addresses it lets through. */
  addresses: bigint;
  /** How many of what it stands for (nodes, ranges of pods) are in it. */
  holds: number;
}

/** Bits of an address; prefixes of `closest` are always tight enough, such of `widest` the widest that are made. */
const FAMILIES = {
  4: { bits: 32, closest: 24, widest: 16 },
  6: { bits: 128, closest: 64, widest: 48 },
} as const;

/**
 * The fewest prefixes that hold all of the given ranges and nothing of `others`. What lies within one /24 (IPv6: /64)
 * becomes one prefix, as tight as it goes; two neighbours are joined to a wider one only where both halves are joined
 * already, so that addresses which nobody has are never most of a prefix; and none is made wider than a /16 (IPv6: /48),
 * but for a range that is wider itself. A range that holds addresses of others stays as it is: it cannot be told apart.
 */
export function summarise(ranges: readonly AddressRange[], others: readonly AddressRange[]): Prefix[] {
  return IP_FAMILIES.flatMap((family) => {
    const own = ranges.filter((range) => range.family === family);
    const block = { family, first: 0n, length: 0 };
    return cover(
      block,
      own,
      others.filter((range) => range.family === family),
    ).prefixes;
  });
}

interface Block {
  family: 4 | 6;
  first: bigint;
  /** Of the prefix. */
  length: number;
}

function cover(block: Block, own: readonly AddressRange[], others: readonly AddressRange[]): Covered {
  if (own.length === 0) return { isJoined: false, prefixes: [] };
  const { bits, closest, widest } = FAMILIES[block.family];
  const extent = extentOf(block);
  const one = { isJoined: true, prefixes: [prefixOf(tightest(block, own), own.length)] };
  // Nothing outside of a range of one's own is let through.
  if (block.length === bits || own.some(({ first, last }) => first <= extent.first && last >= extent.last)) return one;
  if (block.length >= closest && !others.some((other) => overlap(other, extent))) return one;
  const [left, right] = halvesOf(block).map((half) => {
    const within = (range: AddressRange) => overlap(range, extentOf(half));
    return cover(half, own.filter(within), others.filter(within));
  }) as [Covered, Covered];
  const isJoined =
    block.length >= widest && left.isJoined && right.isJoined && !others.some((other) => overlap(other, extent));
  return isJoined ? one : { isJoined: false, prefixes: [...left.prefixes, ...right.prefixes] };
}

interface Covered {
  /** Whether one prefix stands for all of the block. */
  isJoined: boolean;
  prefixes: Prefix[];
}

function halvesOf({ family, first, length }: Block): [Block, Block] {
  const half = 1n << BigInt(FAMILIES[family].bits - length - 1);
  return [
    { family, first, length: length + 1 },
    { family, first: first + half, length: length + 1 },
  ];
}

function extentOf({ family, first, length }: Block): AddressRange {
  return { family, first, last: first + (1n << BigInt(FAMILIES[family].bits - length)) - 1n };
}

/** The smallest block in this one that still has all of the ranges. */
function tightest(block: Block, own: readonly AddressRange[]): Block {
  if (block.length === FAMILIES[block.family].bits) return block;
  for (const half of halvesOf(block)) {
    const { first, last } = extentOf(half);
    if (own.every((range) => range.first >= first && range.last <= last)) return tightest(half, own);
  }
  return block;
}

function prefixOf(block: Block, holds: number): Prefix {
  const { first, last } = extentOf(block);
  const cidr = `${addressText(block.family, first)}/${block.length}`;
  return { cidr, family: block.family, addresses: last - first + 1n, holds };
}

function addressText(family: 4 | 6, value: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  // The URL standard's serialiser gives the short form.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
