import { type Endpoint, hostPort } from '../apiserver/endpoints.ts';
import { canonicalIp, isAddress, overlap, parseCidr } from '../cilium/cidr.ts';
import { connectCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { ETCD_PORT } from '../objects/names.ts';

/** What the operator wants dialled: an address, or for `service` what the cluster's Service has. */
export type EndpointOverride = (Endpoint | { service: true }) & {
  /** A cluster's name or its context; absent for the only one there is. */
  cluster?: string | undefined;
};

/** What is given for one cluster. */
export type GivenEndpoints = readonly Endpoint[] | 'service';

/** Takes a former choice back. */
const SERVICE = 'service';
const OVERRIDE = /^(?:([^=]+)=)?(.*)$/s;
const ENDPOINT =
  /^(?:\[([0-9A-Fa-f:.]+)\](?::(\d+))?|([0-9A-Za-z][0-9A-Za-z._-]*)(?::(\d+))?|([0-9A-Fa-f]*:[0-9A-Fa-f:.]+))$/;
/** DNS names and, in the wild, underscores. */
const LABEL = /^[0-9a-z_]([0-9a-z_-]{0,61}[0-9a-z_])?$/i;
const MOST_CHARACTERS = 253;

/** Reads `[cluster=]host[:port]`, IPv6 in brackets where a port follows; the port is etcd's when none is given. */
export function parseEndpointOverride(text: string): EndpointOverride {
  const [, cluster, rest = ''] = OVERRIDE.exec(text) ?? [];
  const of = cluster === undefined ? {} : { cluster };
  return rest === SERVICE ? { ...of, service: true } : { ...of, ...parseAddress(text, WAYS_TO_THE_SERVICE) };
}

/** What may be given in place of an address, as the ends of hints. */
interface WaysInstead {
  /** Of an address by which no other cluster is reached. */
  reached: string;
  dialled: string;
}

const WAYS_TO_THE_SERVICE: WaysInstead = {
  reached: '; mesh-2=service takes what its Service has',
  dialled: '; mesh-2=service dials what its Service has again',
};

/** Reads `[cluster=]host[:port]` as {@link parseEndpointOverride}, where nothing but an address will do. @throws MeshctlError `Usage` */
export function parseAddress(text: string, instead: WaysInstead = { reached: '', dialled: '' }): Endpoint {
  const [, cluster, rest = ''] = OVERRIDE.exec(text) ?? [];
  const endpoint = rest === SERVICE ? undefined : parseEndpoint(rest);
  const [, host, port] = /^([0-9A-Fa-f:]*:[0-9A-Fa-f:]*):(\d{4,5})$/.exec(rest) ?? [];
  if (host !== undefined) {
    const given = cluster === undefined ? '' : `${cluster}=`;
    throw new MeshctlError('Usage', `"${text}" may be an address with a port, or an address that ends so`, {
      hint: `Write ${given}[${host}]:${port} for the port ${port}${endpoint ? `, or ${given}[${rest}] for the address` : ''}.`,
    });
  }
  if (endpoint) {
    requireDialable(text, endpoint, instead);
    return endpoint;
  }
  throw new MeshctlError('Usage', `"${text}" is not an endpoint`, {
    hint: `Write it like mesh.example.com:2379, [2001:db8::7]:2379, or mesh-2=203.0.113.7:2379 for one of several clusters${instead.dialled}.`,
  });
}

/** Ranges that mean the dialling machine itself, or no single machine in another network (IANA's special-purpose registries). */
const NOWHERE: readonly [string, string][] = [
  ['0.0.0.0/8', 'no address of a machine'],
  ['127.0.0.0/8', 'a loopback address'],
  ['169.254.0.0/16', 'a link-local address'],
  ['224.0.0.0/4', 'a multicast address'],
  ['255.255.255.255/32', 'the broadcast address'],
  ['::/128', 'no address of a machine'],
  ['::1/128', 'a loopback address'],
  ['fe80::/10', 'a link-local address'],
  ['ff00::/8', 'a multicast address'],
];

/** @throws MeshctlError `Usage` for what cannot be another cluster, wherever it is dialled from */
function requireDialable(text: string, { host }: Endpoint, { reached }: WaysInstead): void {
  const address = /^(.+\.)?localhost\.?$/i.test(host) ? '127.0.0.1' : host;
  const range = parseCidr(address);
  const mapped = range?.family === 6 && range.first >> 32n === 0xffffn;
  const meant = mapped ? { family: 4 as const, first: range.first & MOST_IPV4, last: range.last & MOST_IPV4 } : range;
  const [, what] =
    NOWHERE.find(([cidr]) => {
      const nowhere = parseCidr(cidr);
      return meant && nowhere && overlap(meant, nowhere);
    }) ?? [];
  if (what === undefined) return;
  throw new MeshctlError('Usage', `"${text}" is not an endpoint: ${host} is ${what}, which leads to no other cluster`, {
    hint: `Name an address at which the nodes of the dialling cluster reach the peer${reached}.`,
  });
}

const MOST_IPV4 = 0xffffffffn;

/** The command by which a cluster dials again what the peer's Service has. @param peer its name and its context */
export function dialServiceCommand(context: string, peer: { name: string; context: string }): string {
  return connectCommand(context, peer.context, ['--destination-endpoint', `${peer.name}=${SERVICE}`]);
}

/** Reads `host[:port]`, IPv6 in its one spelling; undefined for what is neither an IP address nor a name that could be in DNS. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, bracketed, bracketedPort, name, namePort, bare] = ENDPOINT.exec(text) ?? [];
  const host = bracketed ?? name ?? bare;
  const port = Number(bracketedPort ?? namePort ?? ETCD_PORT);
  return host !== undefined && isHost(host) && port >= 1 && port <= 65_535
    ? { host: canonicalIp(host), port }
    : undefined;
}

/** Whether a text is an IP address, or a name that could be in DNS. */
export function isHost(host: string): boolean {
  const labels = host.replace(/\.$/, '').split('.');
  // A name that ends in a number is taken for an IPv4 address by all that resolve it (the URL standard, inet_aton).
  if (host.includes(':')) return isAddress(host);
  // Not 010.0.0.1 either: some read it as decimal, some as octal.
  if (/^\d+$/.test(labels.at(-1) ?? '')) return isAddress(host) && !labels.some((part) => /^0\d/.test(part));
  return host.length <= MOST_CHARACTERS && labels.every((label) => LABEL.test(label));
}

/**
 * What is given for each cluster, in the clusters' order; undefined where nothing is.
 * @param flag for messages, e.g. `--destination-endpoint`
 * @throws MeshctlError `Usage` for an override that is for no cluster, or that names none where there are several, and for
 * an address beside `service`
 */
export function assignOverrides(
  overrides: readonly EndpointOverride[],
  clusters: readonly { context: string; name: string }[],
  flag: string,
): (GivenEndpoints | undefined)[] {
  const assigned = clusters.map((): EndpointOverride[] => []);
  for (const override of overrides) {
    const { cluster } = override;
    const words = 'service' in override ? SERVICE : hostPort(override.host, override.port);
    const index =
      cluster === undefined ? 0 : clusters.findIndex(({ context, name }) => [context, name].includes(cluster));
    if (cluster === undefined && clusters.length > 1) {
      throw new MeshctlError('Usage', `${flag} ${words}: there are ${clusters.length} clusters that it could be for`, {
        hint: `Name the cluster: ${flag} ${clusters[0]?.name}=${words}`,
      });
    }
    if (index < 0) {
      throw new MeshctlError('Usage', `${flag}: no cluster or context "${cluster}" takes part`, {
        hint: `These do: ${clusters.map(({ context, name }) => `${name} (context ${context})`).join(', ')}`,
      });
    }
    assigned[index]?.push(override);
  }
  return assigned.map((given, index) => {
    if (given.length === 0) return undefined;
    const endpoints = given.flatMap((override) =>
      'service' in override ? [] : [{ host: override.host, port: override.port }],
    );
    if (endpoints.length === given.length) return endpoints;
    if (endpoints.length === 0) return SERVICE;
    throw new MeshctlError('Usage', `${flag}: "${clusters[index]?.name}" is given an address and "${SERVICE}"`, {
      hint: 'Name either addresses of your choice, or take what the Service has.',
    });
  });
}
