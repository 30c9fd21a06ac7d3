import { isObject, type JsonObject } from './json.ts';

const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const FORM = /^([+-]?)(\d+)(?:\.(\d+))?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/;
const NANO_DIGITS = 9;

/**
 * A quantity in the form in which the API server gives it back: no fraction, the largest suffix that allows that
 * (`1000m` is `1`, `0.5` is `500m`, `1024Mi` is `1Gi`). What is no such quantity comes back as it is.
 */
function canonicalQuantity(quantity: unknown): unknown {
  const match = FORM.exec(String(quantity));
  if (!match) return quantity;
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  // All values are counted in billionths, the smallest that there is.
  const digits = BigInt(whole + fraction.slice(0, NANO_DIGITS).padEnd(NANO_DIGITS, '0'));
  const binaryPower = BINARY.indexOf(suffix);
  const isBinary = binaryPower > 0;
  const decimalPower = DECIMAL.indexOf(suffix) - DECIMAL.indexOf('');
  const scaled = isBinary
    ? digits * 1024n ** BigInt(binaryPower)
    : decimalPower >= 0
      ? digits * 1000n ** BigInt(decimalPower)
      : digits / 1000n ** BigInt(-decimalPower);
  if (scaled === 0n) return '0';
  return sign === '-' ? `-${format(scaled, isBinary)}` : format(scaled, isBinary);
}

function format(billionths: bigint, isBinary: boolean): string {
  const unit = 10n ** BigInt(NANO_DIGITS);
  if (isBinary && billionths % unit === 0n) return reduce(billionths / unit, 1024n, BINARY);
  return reduce(billionths, 1000n, DECIMAL);
}

function reduce(count: bigint, base: bigint, suffixes: readonly string[]): string {
  let rest = count;
  let power = 0;
  while (power < suffixes.length - 1 && rest % base === 0n) {
    rest /= base;
    power += 1;
  }
  return `${rest}${suffixes[power]}`;
}

/** Brings the quantities of a container's resources into their canonical form. Changes the resources. */
export function canonicalizeResources(resources: JsonObject): void {
  for (const kind of ['limits', 'requests']) {
    const amounts = resources[kind];
    if (!isObject(amounts)) continue;
    for (const [name, amount] of Object.entries(amounts)) amounts[name] = canonicalQuantity(amount);
  }
}
