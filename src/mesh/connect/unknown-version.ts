import { formatVersion } from '../cilium/versions/versions.ts';
import { ALIASES_IN_FILES, readsAliases } from './dialled-endpoint.ts';
import type { Direction } from './direction.ts';

/** What a plan takes for granted of clients whose version of Cilium cannot be told, and that are to dial a name which their file explains. */
export function unknownVersionNotes(directions: readonly Direction[]): string[] {
  const byFile = directions.filter(
    ({ client, endpoint }) => endpoint.alias?.in === 'file' && readsAliases(client) === undefined,
  );
  return byFile.map(({ client, server }) => {
    const { context, agent } = client.snapshot;
    const since = formatVersion(ALIASES_IN_FILES).replace(/\.0$/, '');
    return (
      `context "${context}": no version of Cilium is told by the image ${agent?.image ?? 'of its agents'}, or by an agent: it is taken ` +
      `for ${since} or newer, which reads in the file for "${server.identity.name}" what the name that it dials means; an older one does not connect by it`
    );
  });
}
