import { MeshctlError } from '../../mesh/errors.ts';
import { isHost } from '../../mesh/peers/endpoint-overrides.ts';

/** An IP address, or the name of a host, as certificates have them: in small letters, without the dot at the end. */
export function parseHost(text: string): string {
  if (isHost(text)) return text.toLowerCase().replace(/\.$/, '');
  throw new MeshctlError('Usage', `"${text}" is neither an IP address nor the name of a host`);
}
