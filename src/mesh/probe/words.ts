/** The words of the probe's program (`templates/probe/probe.pl`): what it is asked, and what it answers. */
import type { ProbePlace } from './places.ts';
import type { ProbeTest } from './tests.ts';

/** What the sender saw of a test. */
export interface Said {
  outcome: 'open' | 'answered' | 'sent' | 'refused' | 'silent' | 'unreachable';
  /** There and back. */
  ms?: number | undefined;
  /** Why it is unreachable, in the words of the sender's kernel. */
  reason?: string | undefined;
}

/** What the destination saw of a test. */
export interface Seen {
  /** It reached the device. */
  atDevice: boolean;
  /** The destination's own firewall has let it in. */
  letIn: boolean;
  /** Bytes of the packets that reached the device. */
  sizes: number[];
}

/** What a watch says at its beginning. */
export interface WatchStart {
  /** Device by address. */
  devices: Map<string, string>;
  /** Bytes, by device. */
  mtus: Map<string, number>;
}

/** One word of `send`: `ID/KIND/ADDRESS/PORT/SPORT/SIZES`. */
export function testWord({ id, via, host, port, sourcePort, sizes }: ProbeTest): string {
  return [id, via, host, port ?? '', sourcePort ?? '', sizes?.join(',') ?? ''].join('/');
}

/** @returns undefined where the program did not come to watch */
export function readWatchStart(stdout: string): WatchStart | undefined {
  const lines = linesOf(stdout);
  if (lines.at(-1) !== 'watching') return undefined;
  const devices = new Map<string, string>();
  const mtus = new Map<string, number>();
  for (const [word, first = '', second = ''] of lines.map((line) => line.split(' '))) {
    if (word === 'address') devices.set(first, second);
    if (word === 'mtu') mtus.set(first, Number(second));
  }
  return { devices, mtus };
}

const OUTCOMES: ReadonlySet<string> = new Set(['open', 'answered', 'sent', 'refused', 'silent', 'unreachable']);

/** What was sent, by the tests' ids. */
export function readSaid(stdout: string): Map<string, Said> {
  const said = new Map<string, Said>();
  for (const line of linesOf(stdout)) {
    const [id = '', outcome = '', ...more] = line.split(' ');
    if (!OUTCOMES.has(outcome)) continue;
    const isTimed = outcome === 'open' || outcome === 'answered';
    const ms = isTimed ? Number(more[0]) : Number.NaN;
    said.set(id, {
      outcome: outcome as Said['outcome'],
      ...(Number.isFinite(ms) ? { ms } : {}),
      ...(outcome === 'unreachable' ? { reason: more.join(' ') } : {}),
    });
  }
  return said;
}

/** What a place saw until it was asked. */
export interface Sightings {
  of(test: ProbeTest): Seen;
}

/**
 * Reads what `collect` says.
 * @returns undefined where the watch did not last, so that nothing is known of what it did not see
 */
export function readSightings(stdout: string): Sightings | undefined {
  const lines = linesOf(stdout);
  if (lines.at(-1) !== 'collected') return undefined;
  const seen = new Map<string, Seen>();
  const note = (key: string, isDevice: boolean, size?: number) => {
    const so = seen.get(key) ?? { atDevice: false, letIn: false, sizes: [] };
    seen.set(key, so);
    so.atDevice = true;
    if (!isDevice) so.letIn = true;
    if (size !== undefined) so.sizes.push(size);
  };
  for (const words of lines.map((line) => line.split(' '))) {
    const isDevice = words.at(-1) === 'device';
    const [word, ...more] = words;
    if (word === 'seen') note(`id ${more[0]}`, isDevice, Number(more[2]));
    // A connection has no mark; its source port is what tells it, also where an address was translated on the way.
    if (word === 'syn') note(`syn ${more[1]} ${more[2]}`, isDevice);
  }
  return {
    of: ({ id, via, sourcePort, port }) => seen.get(via === 'tcp' ? `syn ${sourcePort} ${port}` : `id ${id}`) ?? UNSEEN,
  };
}

const UNSEEN: Seen = { atDevice: false, letIn: false, sizes: [] };

const CILIUM_DEVICE = 'cilium_host';

/** A place with the MTUs there: of the device that has its address, where one has it, and of Cilium. */
export function withMtus(place: ProbePlace, { devices, mtus }: WatchStart): ProbePlace {
  const [device = ''] = place.addresses.flatMap((address) => devices.get(address) ?? []);
  const deviceMtu = mtus.get(device);
  return { ...place, deviceMtu, ciliumMtu: mtus.get(CILIUM_DEVICE) };
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
