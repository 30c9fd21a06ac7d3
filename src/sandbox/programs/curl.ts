/** `curl` and `wget` for the sandbox's pods, as far as tests of a mesh use them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Datapath } from '../cilium/datapath.ts';
import type { Pod } from '../objects.ts';
import type { ExecStreams } from '../pods/process.ts';
import { sendRequest, type Transfer } from './http-request.ts';
import { writeAll } from './status-text.ts';

/** The pod in which a program runs. */
export interface PodPlace {
  datapath: Datapath;
  pod: Pod;
  streams: ExecStreams;
}

interface CurlOptions {
  urls: string[];
  silent: boolean;
  showError: boolean;
  failOnStatus: boolean;
  /** Ends at the first transfer that fails. */
  failEarly: boolean;
  output: string | undefined;
  writeOut: string;
  timeoutMs: number | undefined;
  headers: Record<string, string>;
  /** Between the starts of two transfers. */
  intervalMs: number;
}

/** `curl [-s] [-S] [-f] [-m S] [-o FILE] [-w FORMAT] [-H HEADER] [--rate N/s] URL…`, with ranges `[1-9]` in URLs. */
export async function runCurl(words: readonly string[], { streams, ...place }: PodPlace): Promise<number> {
  let options: CurlOptions;
  try {
    options = parseCurl(words);
  } catch (error) {
    await writeAll(streams.stderr, `curl: ${(error as Error).message}\n`);
    return 2;
  }
  let exitCode = 0;
  let next = performance.now();
  for (const [index, address] of options.urls.flatMap(expandRanges).entries()) {
    const wait = next - performance.now();
    if (index > 0 && wait > 0) await delay(wait, undefined, { signal: streams.signal });
    next = performance.now() + options.intervalMs;
    const url = new URL(/^[a-z]+:\/\//.test(address) ? address : `http://${address}`);
    const { headers, timeoutMs } = options;
    const transfer = await sendRequest(place, { url, headers, timeoutMs, signal: streams.signal });
    exitCode = await report(transfer, url, options, streams);
    if (exitCode !== 0 && options.failEarly) break;
  }
  return exitCode;
}

/** Writes what curl would. @returns its exit code */
async function report(transfer: Transfer, url: URL, options: CurlOptions, streams: ExecStreams): Promise<number> {
  const refused = options.failOnStatus && transfer.status >= 400;
  const exitCode = refused ? 22 : transfer.exitCode;
  const message = refused ? `The requested URL returned error: ${transfer.status}` : transfer.message;
  // Files of simulated containers are not written: what goes to one is gone, as with /dev/null.
  if (!refused && (options.output === undefined || options.output === '-')) {
    await writeAll(streams.stdout, transfer.body.toString());
  }
  const out = formatTransfer(options.writeOut, { ...transfer, exitCode, message }, url);
  if (out) await writeAll(streams.stdout, out);
  if (exitCode !== 0 && (!options.silent || options.showError)) {
    await writeAll(streams.stderr, `curl: (${exitCode}) ${message}\n`);
  }
  return exitCode;
}

function parseCurl(words: readonly string[]): CurlOptions {
  const options: CurlOptions = {
    urls: [],
    silent: false,
    showError: false,
    failOnStatus: false,
    failEarly: false,
    output: undefined,
    writeOut: '',
    timeoutMs: undefined,
    headers: {},
    intervalMs: 0,
  };
  const rest = words.flatMap(splitShortFlags);
  const value = (flag: string): string => {
    const next = rest.shift();
    if (next === undefined) throw new Error(`option ${flag}: requires parameter`);
    return next;
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '-s' || word === '--silent') options.silent = true;
    else if (word === '-S' || word === '--show-error') options.showError = true;
    else if (word === '-f' || word === '--fail') options.failOnStatus = true;
    else if (word === '--fail-early') options.failEarly = true;
    else if (word === '-o' || word === '--output') options.output = value(word);
    else if (word === '-w' || word === '--write-out') options.writeOut = value(word);
    else if (word === '-m' || word === '--max-time') options.timeoutMs = Number(value(word)) * 1000;
    else if (word === '-H' || word === '--header') addHeader(options.headers, value(word));
    else if (word === '--rate') options.intervalMs = parseRate(value(word));
    else if (word.startsWith('-')) throw new Error(`option ${word}: not known to the sandbox's curl`);
    else options.urls.push(word);
  }
  if (options.urls.length === 0) throw new Error('(2) no URL specified');
  return options;
}

/** `-sm 3` as `-s -m 3`, `-m3` as `-m 3`. */
function splitShortFlags(word: string): string[] {
  if (!/^-[A-Za-z]./.test(word)) return [word];
  const flag = word.slice(0, 2);
  return /[omwH]$/.test(flag) ? [flag, word.slice(2)] : [flag, ...splitShortFlags(`-${word.slice(2)}`)];
}

function addHeader(headers: Record<string, string>, text: string) {
  const colon = text.indexOf(':');
  if (colon > 0) headers[text.slice(0, colon)] = text.slice(colon + 1).trim();
}

/** `20/s` as the milliseconds from one start to the next. */
function parseRate(text: string): number {
  const [, count, unit] = /^(\d+)\/(s|m)$/.exec(text) ?? [];
  if (!count || Number(count) === 0) throw new Error('option --rate: expected a proper numerical parameter');
  return (unit === 'm' ? 60_000 : 1000) / Number(count);
}

/** Each number of a `[1-9]` in a URL. An address in brackets is none. */
function expandRanges(url: string): string[] {
  const [range, first, last] = /\[(\d+)-(\d+)\]/.exec(url) ?? [];
  if (!range) return [url];
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, index) => url.replace(range, String(Number(first) + index)));
}

function formatTransfer(format: string, transfer: Transfer, url: URL): string {
  const { times } = transfer;
  const variables: Record<string, string> = {
    http_code: String(transfer.status).padStart(3, '0'),
    response_code: String(transfer.status).padStart(3, '0'),
    exitcode: String(transfer.exitCode),
    errormsg: transfer.message,
    remote_ip: transfer.remoteAddress,
    remote_port: String(transfer.remotePort),
    size_download: String(transfer.body.length),
    time_namelookup: times.nameLookup.toFixed(6),
    time_connect: times.connect.toFixed(6),
    time_starttransfer: times.firstByte.toFixed(6),
    time_total: times.total.toFixed(6),
    url_effective: url.href,
  };
  return format
    .replace(/%\{(\w+)\}/g, (_whole, name: string) => variables[name] ?? '')
    .replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replaceAll('\\r', '\r');
}

/** `wget [-q] [-T S] [-O FILE] URL…`, as the curl that does the same. */
export async function runWget(words: readonly string[], place: PodPlace): Promise<number> {
  const separate = words.flatMap((word) => {
    const [, flag, value] = /^(-q?O|-T)(.+)$/.exec(word) ?? [];
    return flag !== undefined && value !== undefined ? [flag, value] : [word];
  });
  const translated = separate.flatMap((word) => {
    if (word === '-q') return ['-s'];
    if (word === '-T') return ['-m'];
    return word === '-O' || word === '-qO' ? [...(word === '-qO' ? ['-s'] : []), '-o'] : [word];
  });
  return runCurl(['-f', ...translated], place);
}
