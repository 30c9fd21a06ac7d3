/**
 * Stands in for the program of `meshctl connectivity probe`: nothing of it runs, its words are answered by what the sandbox's
 * network makes of the packets that it would send.
 */
import type { Datapath } from '../cilium/datapath.ts';
import { podIps } from '../objects.ts';
import type { VirtualNetwork } from '../pods/network.ts';
import { type Arrival, type Datagram, DialError, senderOf } from '../pods/network-types.ts';
import type { ContainerContext, ExecStreams } from '../pods/process.ts';
import { writeAll } from './status-text.ts';

export interface ProbeOptions {
  clusterName: string;
  network: VirtualNetwork;
  /** By node. */
  datapaths: ReadonlyMap<string, Datapath>;
  /** Bytes, of nodes' devices. */
  deviceMtu: number;
  log(line: string): void;
}

export interface Probe {
  /** Resolves with the exit code; undefined for words that are not the program's. */
  exec(argv: readonly string[], streams: ExecStreams): Promise<number | undefined>;
  close(): void;
}

const VERBS = new Set(['watch', 'send', 'collect']);
/** The one device of a node, and of a pod. */
const DEVICE = 'eth0';
/** Bytes of the packets that the program sends where it is told no sizes. */
const SIZES = { udp: 68, icmp: 60, esp: 68 } as const;
const MS_PER_SECOND = 1000;

/** Whatever a container of Cilium's image answers to the program's words. */
export function createProbe(context: ContainerContext, options: ProbeOptions): Probe {
  const { pod } = context;
  const watches = new Map<string, { lines: Set<string>; end(): void }>();
  const datapathHere = () => options.datapaths.get(pod.spec.nodeName ?? '');

  function watch(run: string, seconds: number): string[] {
    watches.get(run)?.end();
    const token = probeOf(run);
    const lines = new Set<string>();
    const { cluster, node, podAddresses } = senderOf(options.clusterName, pod);
    const stop = options.network.observe({
      cluster,
      node,
      podAddresses,
      onArrival(arrival) {
        const line = lineOf(token, arrival);
        // Where no rule of a node's own drops it, what reaches the device is let in.
        if (line !== undefined) lines.add(`${line} device`).add(line);
      },
    });
    const timer = setTimeout(stop, seconds * MS_PER_SECOND).unref();
    const end = () => {
      clearTimeout(timer);
      stop();
      watches.delete(run);
    };
    watches.set(run, { lines, end });
    const addresses = podIps(pod).map((ip) => `address ${ip} ${DEVICE}`);
    return [`mtu ${DEVICE} ${options.deviceMtu}`, ...addresses, 'watching'];
  }

  async function run(argv: ProbeWords, { stdout, stderr }: ExecStreams): Promise<number> {
    const { verb, token, words } = argv;
    options.log(`level=info msg="The probe of meshctl is simulated: no packet is sent" verb=${verb}`);
    const say = (lines: Iterable<string>) => writeAll(stdout, [...lines].map((line) => `${line}\n`).join(''));
    if (verb === 'watch') {
      await say(watch(token, Number(words[0] ?? 0)));
      return 0;
    }
    if (verb === 'collect') {
      const watched = watches.get(token);
      if (!watched) {
        await writeAll(stderr, 'not watching\n');
        return 1;
      }
      watched.end();
      await say([...watched.lines, 'collected']);
      return 0;
    }
    const datapath = datapathHere();
    const place = { pod, datapath, mtu: options.deviceMtu };
    await say(await Promise.all(words.map((word) => test(probeOf(token), word, place))));
    return 0;
  }

  return {
    async exec(argv, streams) {
      const words = probeWords(argv);
      return words && run(words, streams);
    },
    close() {
      for (const { end } of watches.values()) end();
    },
  };
}

/** The token of the probe in that of one of its watches, `TOKEN.NUMBER`. */
const probeOf = (token: string) => token.split('.')[0] ?? token;

interface ProbeWords {
  verb: string;
  token: string;
  words: readonly string[];
}

/** `perl -e PROGRAM VERB TOKEN…`, or a shell that runs it with the program from the environment. */
function probeWords(argv: readonly string[]): ProbeWords | undefined {
  const [program = '', flag, text = ''] = argv;
  const name = program.split('/').pop();
  const isPerl = name === 'perl' && flag === '-e';
  const isShell = name === 'sh' && flag === '-c' && /\bperl\b.*\$/.test(text);
  if (!isPerl && !isShell) return undefined;
  const [verb = '', token = '', ...words] = argv.slice(isPerl ? 3 : 4);
  return VERBS.has(verb) ? { verb, token, words } : undefined;
}

/** What a probe's packet carries; another probe's is not listed. */
const payloadOf = (token: string, id: string) => `${token}/${id}`;

function lineOf(token: string, arrival: Arrival): string | undefined {
  if (arrival.protocol === 'tcp') {
    // Only the ports that probes dial from are watched for.
    return arrival.sourcePort > 0 ? `syn ${arrival.from} ${arrival.sourcePort} ${arrival.port}` : undefined;
  }
  const [of, id] = arrival.payload.split('/');
  return of === token ? `seen ${id} ${arrival.from} ${arrival.size}` : undefined;
}

interface ProbePlace {
  pod: ContainerContext['pod'];
  datapath: Datapath | undefined;
  mtu: number;
}

/** One test of `send`: `ID/KIND/ADDRESS/PORT/SPORT/SIZES`. @returns its line */
async function test(token: string, word: string, { pod, datapath, mtu }: ProbePlace): Promise<string> {
  const [id = '', kind = '', address = '', port = '', sourcePort = '', sizes = ''] = word.split('/');
  if (!datapath) return `${id} unreachable Network is unreachable`;
  if (kind === 'tcp') {
    const target = { address, port: Number(port), sourcePort: Number(sourcePort) };
    return `${id} ${await connectOnce(datapath, pod, target)}`;
  }
  const send = (protocol: Datagram['protocol'], size: number) =>
    datapath.send(pod, {
      protocol,
      address,
      port: port === '' ? undefined : Number(port),
      size,
      payload: payloadOf(token, id),
    });
  if (kind === 'mtu') {
    const fitting = sizes.split(',').filter((size) => Number(size) <= mtu);
    const protocol = port === '' ? 'icmp' : 'udp';
    const deliveries = await Promise.all(fitting.map((size) => send(protocol, Number(size))));
    const left = fitting.filter((_, index) => deliveries[index]?.outcome !== 'unreachable');
    return `${id} sent ${left.join(',')}`.trimEnd();
  }
  if (kind !== 'udp' && kind !== 'icmp' && kind !== 'esp') return `${id} unreachable not a kind of test: ${kind}`;
  const delivery = await send(kind, SIZES[kind]);
  if (delivery.outcome === 'answered') return `${id} answered ${delivery.roundTripMs.toFixed(2)}`;
  return `${id} ${delivery.outcome}${delivery.outcome === 'unreachable' ? ' No route to host' : ''}`;
}

async function connectOnce(
  datapath: Datapath,
  pod: ContainerContext['pod'],
  { address, port, sourcePort }: { address: string; port: number; sourcePort: number },
): Promise<string> {
  const start = performance.now();
  try {
    const [resolved = address] = datapath.resolve(pod, address);
    const socket = await datapath.connect(pod, resolved, port, sourcePort);
    socket.destroy();
    return `open ${(performance.now() - start).toFixed(2)}`;
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    return UNCONNECTED[error.code];
  }
}

const UNCONNECTED: Readonly<Record<DialError['code'], string>> = {
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'silent',
  EHOSTUNREACH: 'unreachable No route to host',
  ENETUNREACH: 'unreachable Network is unreachable',
  ENOTFOUND: 'unreachable Name or service not known',
};
