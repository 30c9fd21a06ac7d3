import { hostPort } from '../../../mesh/apiserver/endpoints.ts';
import { unnamedContext } from '../../../mesh/command-line.ts';
import { MeshctlError } from '../../../mesh/errors.ts';
import type { JoiningPeer } from '../../../mesh/objects/source-advice.ts';
import { parseEndpointOverride } from '../../../mesh/peers/endpoint-overrides.ts';
import { parsePeerName } from '../../options/option-values.ts';

/** `name`, or `name=host:port`: a cluster that no context leads to. @throws MeshctlError `Usage` */
export function parseJoiningPeer(text: string): JoiningPeer {
  const [written = ''] = text.split('=', 1);
  const name = parsePeerName(written);
  const joining = { name, context: unnamedContext(name) };
  if (written === text) return { ...joining, addresses: [] };
  const given = parseEndpointOverride(text);
  if (!('service' in given)) return { ...joining, addresses: [hostPort(given.host, given.port)] };
  throw new MeshctlError('Usage', `"${text}" names no address`, {
    hint: `Write it like ${name}=203.0.113.7:2379, with the address at which ${name} is to be dialled.`,
  });
}
