import type { Endpoint } from '../apiserver/endpoints.ts';
import { MeshctlError } from '../errors.ts';
import { parseEndpointOverride } from '../peers/endpoint-overrides.ts';

/** An address of a file that the schema has let through. @throws MeshctlError `Usage` for what nobody could dial */
export function writtenEndpoint(text: string): Endpoint {
  const given = parseEndpointOverride(text);
  if (!('service' in given)) return { host: given.host, port: given.port };
  throw new MeshctlError('Usage', `"${text}" is not an endpoint`, {
    hint: 'Leave the entry out: then what the Service has is dialled.',
  });
}

/** Why an address cannot be; undefined when it can. */
export function endpointFault(text: string): { message: string; hint?: string | undefined } | undefined {
  try {
    writtenEndpoint(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
    return { message: error.message };
  }
}
