/**
 * `cilium-dbg bgp peers|routes -o json`, simulated: lists of Cilium's api/v1 models BgpPeer and BgpRoute
 * (cilium-dbg/cmd/bgp_peer_get.go, bgp_route_get.go; pkg/bgp/api/conversions.go).
 */
import { familyOf, parseCidr } from '../../mesh/cilium/cidr.ts';
import { ipFamilies } from '../../mesh/cilium/datapath.ts';
import { ciliumConfigOf } from '../cilium/cilium-config.ts';
import { ofFamily } from '../fixtures/addresses.ts';
import { advertisedPodCidrs, type Routers, routingOf } from '../pods/routers.ts';
import type { NodeView } from './node-view.ts';

/** RFC 4760 and 4271, section 4.3. */
const unicast = (family: 4 | 6) => ({ afi: `ipv${family}`, safi: 'unicast' });
const UNSPECIFIED = { 4: '0.0.0.0', 6: '::' } as const;
const TRANSITIVE = 0x40;
const [ORIGIN, AS_PATH, NEXT_HOP] = [1, 2, 3];
const BGP_PORT = 179;
const HOLD_TIME_SECONDS = 90;

/** The answer to the words after `bgp`, options last; undefined for a command that the stand-in does not have. */
export function bgpDocument(words: readonly string[], view: NodeView, routers: Routers): unknown {
  const options = words.findIndex((word) => word.startsWith('-'));
  const [command, table = 'available', afi = 'ipv4', safi = 'unicast'] = words.slice(
    0,
    options < 0 ? undefined : options,
  );
  if (command === 'peers') return peers(view, routers);
  if (command !== 'routes') return undefined;
  const family = afi === 'ipv6' ? 6 : 4;
  // Go prints an empty list of pointers as null.
  if (safi !== 'unicast' || ofFamily(view.facts?.podCidrs ?? [], family) === undefined) return null;
  const asn = routers.routerOf(view.cluster).asn;
  if (table === 'advertised') {
    return sessionsOf(view, routers)
      .filter(({ isEstablished }) => isEstablished)
      .flatMap(({ router }) =>
        own(view, family).map((prefix) => ({ neighbor: router.address, ...routeOf(prefix, asn) })),
      );
  }
  // What others tell is rejected (cilium/cilium#33035), so that only its own is available.
  return own(view, family).map((prefix) => routeOf(prefix, asn));
}

/** Whether the cluster's agents run the BGP control plane. */
export function runsBgp({ store }: NodeView): boolean {
  return routingOf(store).bgp;
}

function sessionsOf({ cluster }: NodeView, routers: Routers) {
  return routers.neighbours(cluster).flatMap(({ router, bgp }) => (bgp ? [{ router, ...bgp }] : []));
}

function peers(view: NodeView, routers: Routers) {
  return sessionsOf(view, routers).map(({ router, isEstablished, learned }) => ({
    'configured-hold-time-seconds': HOLD_TIME_SECONDS,
    families: ipFamilies(ciliumConfigOf(view.store)).map((family) => ({
      // None of what is received is accepted, and Go leaves a zero out.
      ...(isEstablished && {
        received: learned.filter((prefix) => familyOf(prefix) === family).length,
        advertised: own(view, family).length,
      }),
      ...unicast(family),
    })),
    'local-asn': routers.routerOf(view.cluster).asn,
    'local-capabilities': null,
    'peer-address': router.address,
    'peer-asn': router.asn,
    'peer-port': BGP_PORT,
    'remote-capabilities': null,
    // RFC 4271, section 8.2.2: an agent whose peer does not answer goes on trying.
    'session-state': isEstablished ? 'established' : 'active',
  }));
}

/** What this node's agent announces. */
function own({ store, facts }: NodeView, family: 4 | 6): string[] {
  const advertised = advertisedPodCidrs(store);
  const cidrs = (facts?.podCidrs ?? []).filter((cidr) => familyOf(cidr) === family);
  return cidrs.filter((cidr) => advertised.includes(cidr));
}

function routeOf(prefix: string, asn: number) {
  const attribute = (type: number, value: readonly number[]) => ({
    base64: base64([TRANSITIVE, type, value.length, ...value]),
  });
  return {
    paths: [
      {
        best: true,
        family: unicast(familyOf(prefix)),
        nlri: { base64: nlri(prefix) },
        'path-attributes': [
          attribute(ORIGIN, [0]),
          attribute(AS_PATH, []),
          attribute(NEXT_HOP, octets(UNSPECIFIED[familyOf(prefix)])),
        ],
      },
    ],
    prefix,
    'router-asn': asn,
  };
}

/** The prefix's length in bits, then as many octets as it needs. */
function nlri(prefix: string): string {
  const [address = '', length = '0'] = prefix.split('/');
  return base64([Number(length), ...octets(address).slice(0, Math.ceil(Number(length) / 8))]);
}

function octets(address: string): number[] {
  const digits = familyOf(address) === 6 ? 32 : 8;
  const hex = (parseCidr(address)?.first ?? 0n).toString(16).padStart(digits, '0');
  return [...Buffer.from(hex, 'hex')];
}

function base64(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('base64');
}
