import { parseCidr } from './cidr.ts';
import type { Endpoint } from './endpoints.ts';
import { MeshctlError } from './errors.ts';
import { ETCD_PORT } from './names.ts';

/** An address given by the operator, for one cluster or for the only one there is. */
export interface EndpointOverride extends Endpoint {
  /** A cluster's name or its context. */
  cluster?: string | undefined;
}

const OVERRIDE =
  /^(?:([^=]+)=)?(?:\[([0-9A-Fa-f:.]+)\](?::(\d+))?|([0-9A-Za-z][0-9A-Za-z._-]*)(?::(\d+))?|([0-9A-Fa-f]*:[0-9A-Fa-f:.]+))$/;

/** Reads `[cluster=]host[:port]`, IPv6 in brackets where a port follows; the port is etcd's when none is given. */
export function parseEndpointOverride(text: string): EndpointOverride {
  const [, cluster, bracketed, bracketedPort, name, namePort, bare] = OVERRIDE.exec(text) ?? [];
  const host = bracketed ?? name ?? bare;
  const port = Number(bracketedPort ?? namePort ?? ETCD_PORT);
  const readable = host !== undefined && (!host.includes(':') || parseCidr(host) !== undefined);
  if (!readable || port < 1 || port > 65_535) {
    throw new MeshctlError('Usage', `"${text}" is not an endpoint`, {
      hint: 'Write it like mesh.example.com:2379, [2001:db8::7]:2379, or mesh-2=203.0.113.7:2379 for one of several clusters.',
    });
  }
  return { ...(cluster === undefined ? {} : { cluster }), host, port };
}

/**
 * The overrides that are for each cluster, in the clusters' order.
 * @param flag for messages, e.g. `--destination-endpoint`
 * @throws MeshctlError `Usage` for an override that is for no cluster, or that names none where there are several
 */
export function assignOverrides(
  overrides: readonly EndpointOverride[],
  clusters: readonly { context: string; name: string }[],
  flag: string,
): Endpoint[][] {
  const assigned = clusters.map((): Endpoint[] => []);
  for (const { cluster, host, port } of overrides) {
    const index =
      cluster === undefined ? 0 : clusters.findIndex(({ context, name }) => [context, name].includes(cluster));
    if (cluster === undefined && clusters.length > 1) {
      throw new MeshctlError('Usage', `${flag} ${host}: there are ${clusters.length} clusters that it could be for`, {
        hint: `Name the cluster: ${flag} ${clusters[0]?.name}=${host}:${port}`,
      });
    }
    if (index < 0) {
      throw new MeshctlError('Usage', `${flag}: no cluster or context "${cluster}" takes part`, {
        hint: `These do: ${clusters.map(({ context, name }) => `${name} (context ${context})`).join(', ')}`,
      });
    }
    assigned[index]?.push({ host, port });
  }
  return assigned;
}
