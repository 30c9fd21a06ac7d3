import { hostPort } from '../../../mesh/apiserver/endpoints.ts';
import { unnamedContext } from '../../../mesh/command-line.ts';
import type { JoiningPeer } from '../../../mesh/objects/source-advice.ts';
import { parseAddress } from '../../../mesh/peers/endpoint-overrides.ts';
import { parsePeerName } from '../../options/option-values.ts';

/** `name`, or `name=host:port`: a cluster that no context leads to. @throws MeshctlError `Usage` */
export function parseJoiningPeer(text: string): JoiningPeer {
  const [written = ''] = text.split('=', 1);
  const name = parsePeerName(written);
  const joining = { name, context: unnamedContext(name) };
  if (written === text) return { ...joining, addresses: [] };
  const { host, port } = parseAddress(text);
  return { ...joining, addresses: [hostPort(host, port)] };
}
