/** Rules of the sandbox's network as operators write them: `ACTION:FROM>TO[:MORE]`, `FROM<>TO` for both directions. */
import { MeshctlError } from '../../mesh/errors.ts';
import { byNearness, probablyMeant } from '../../mesh/nearest.ts';
import type { NetworkRule, Place, Protocol, RuleAction } from './network-rules.ts';

const ACTIONS: readonly RuleAction[] = ['drop', 'reject', 'delay', 'mtu', 'no-route'];
const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'icmp', 'esp'];
const EXAMPLES =
  'drop:mesh-1>mesh-2:udp/8472, mtu:mesh-1<>mesh-2:1400, delay:mesh-1>mesh-2:40ms, no-route:mesh-1>mesh-2';
const LARGEST_PORT = 65_535;
/** What every IPv4 host must take (RFC 791), and what an IP packet can be. */
const MTU_RANGE = [68, 65_535] as const;
const LONGEST_DELAY_MS = 60_000;

/** @returns a rule for each direction, its id the text of it alone. @throws MeshctlError `Usage` for what is no rule */
export function parseRules(text: string): NetworkRule[] {
  const [, action = '', left = '', sign = '', right = '', more] =
    /^([^:]*):([^<>:]+)(<?>)([^<>:]+)(?::(.*))?$/.exec(text) ?? [];
  if (left === '') throw usage(text, 'is not ACTION:FROM>TO[:MORE]', `Write it like ${EXAMPLES}.`);
  if (!isAction(action))
    throw usage(text, `has no action of the sandbox's network: "${action}"`, meant(action, ACTIONS));
  const [from, to] = [left, right].map((place) => placeOf(text, place)) as [Place, Place];
  if (from.cluster === to.cluster) {
    throw usage(text, 'stays in one cluster: rules are about packets between clusters', `Write it like ${EXAMPLES}.`);
  }
  const what = detailOf(text, action, more);
  const ways: [Place, Place][] =
    sign === '<>'
      ? [
          [from, to],
          [to, from],
        ]
      : [[from, to]];
  return ways.map(([source, target]) => {
    const rule = { action, from: source, to: target, ...what };
    return { id: ruleText(rule), ...rule };
  });
}

/** The one text of a rule. */
function ruleText({ action, from, to, family, protocol, port, ms, mtu }: Omit<NetworkRule, 'id'>): string {
  const place = ({ cluster, node }: Place) => (node === undefined ? cluster : `${cluster}/${node}`);
  const traffic = protocol && (port === undefined ? protocol : `${protocol}/${port}`);
  const more = [ms === undefined ? [] : `${ms}ms`, mtu ?? [], family ? `ipv${family}` : [], traffic ?? []].flat();
  return [action, `${place(from)}>${place(to)}`, ...more].join(':');
}

/** @param clusters the names of their nodes, by their own. @throws MeshctlError `Usage` for places that there are not */
export function requirePlaces(rules: readonly NetworkRule[], clusters: ReadonlyMap<string, readonly string[]>): void {
  for (const { id, from, to } of rules) {
    for (const { cluster, node } of [from, to]) {
      const nodes = clusters.get(cluster);
      if (!nodes)
        throw usage(id, `names no cluster of the sandbox: "${cluster}"`, meant(cluster, [...clusters.keys()]));
      if (node !== undefined && !nodes.includes(node)) {
        throw usage(id, `names no node of ${cluster}: "${node}"`, meant(node, nodes));
      }
    }
  }
}

function placeOf(text: string, place: string): Place {
  const [, cluster, node] = /^([^/]+)(?:\/([^/]+))?$/.exec(place) ?? [];
  if (cluster === undefined) throw usage(text, `has no place like "${place}"`, 'A place is CLUSTER or CLUSTER/NODE.');
  return node === undefined ? { cluster } : { cluster, node };
}

function detailOf(text: string, action: RuleAction, more: string | undefined): Partial<NetworkRule> {
  const [first = '', ...rest] = more?.split(':') ?? [];
  const packets = (words: readonly string[]) => packetsOf(text, words);
  if (action === 'delay') {
    const ms = Number(/^(\d+)ms$/.exec(first)?.[1] ?? Number.NaN);
    if (ms > 0 && ms <= LONGEST_DELAY_MS) return { ms, ...packets(rest) };
    throw usage(text, 'does not say how long', 'Write it in milliseconds, up to 60000, like delay:mesh-1>mesh-2:40ms.');
  }
  if (action === 'mtu') {
    const mtu = /^\d+$/.test(first) ? Number(first) : 0;
    if (mtu >= MTU_RANGE[0] && mtu <= MTU_RANGE[1]) return { mtu, ...packets(rest) };
    throw usage(
      text,
      'does not say which MTU',
      `Write it in bytes, ${MTU_RANGE.join(' to ')}, like mtu:mesh-1<>mesh-2:1400.`,
    );
  }
  const all = more === undefined ? [] : [first, ...rest];
  if (action !== 'no-route') return packets(all);
  const [family] = all;
  if (all.length === 0) return {};
  if (all.length === 1 && isFamily(family)) return packets(all);
  throw usage(text, 'picks among packets, but a route is for all of them', 'A route may be of ipv4 or ipv6 alone.');
}

/** A family, a protocol with or without a port, or both in this order. */
function packetsOf(text: string, words: readonly string[]): Partial<NetworkRule> {
  const [word, ...others] = words;
  if (!isFamily(word)) return trafficOf(text, words);
  return { family: word === 'ipv6' ? 6 : 4, ...trafficOf(text, others) };
}

function trafficOf(text: string, words: readonly string[]): Partial<NetworkRule> {
  const [word, ...others] = words;
  if (word === undefined) return {};
  const [protocol = '', port, ...rest] = word.split('/');
  const among = `Write it like ${EXAMPLES}.`;
  if (others.length > 0 || rest.length > 0) throw usage(text, 'says more than a protocol and a port', among);
  if (!isProtocol(protocol)) throw usage(text, `has no protocol like "${protocol}"`, meant(protocol, PROTOCOLS));
  if (port === undefined) return { protocol };
  if (protocol === 'icmp' || protocol === 'esp') throw usage(text, `has a port, which ${protocol} has not`, among);
  if (/^\d+$/.test(port) && Number(port) >= 1 && Number(port) <= LARGEST_PORT) return { protocol, port: Number(port) };
  throw usage(text, `has no port like "${port}"`, `Ports are 1 to ${LARGEST_PORT}.`);
}

const isFamily = (word: string | undefined) => word === 'ipv4' || word === 'ipv6';
const isAction = (word: string): word is RuleAction => ACTIONS.some((action) => action === word);
const isProtocol = (word: string): word is Protocol => PROTOCOLS.some((protocol) => protocol === word);

function meant(word: string, known: readonly string[]): string {
  const probable = probablyMeant(word, known);
  if (probable !== undefined) return `Did you mean ${probable}?`;
  const shown = byNearness(word, known).slice(0, SHOWN);
  return `There ${shown.length === 1 ? 'is' : 'are'}: ${shown.join(', ')}${known.length > SHOWN ? ', …' : ''}`;
}

const SHOWN = 8;

function usage(text: string, what: string, hint: string): MeshctlError {
  return new MeshctlError('Usage', `"${text}" ${what}`, { hint });
}
