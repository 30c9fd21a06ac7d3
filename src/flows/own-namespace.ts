import type { ClusterClient } from '../kube/client.ts';
import { waitForObject } from '../kube/wait.ts';
import { alreadyExists, MeshctlError } from '../mesh/errors.ts';
import { describeRef, type KubeObject, refOf } from '../mesh/objects/kube-object.ts';
import type { Flow } from './flow.ts';

export interface OwnNamespaceOptions {
  /** For an earlier one of that name to be gone. */
  waitMs: number;
  /** What grants the right to whoever may not make it, for a hint. */
  rights: string;
}

/**
 * Makes a namespace where there is none; one that is on its way out is waited for.
 * @returns what was made; undefined where somebody else has made it
 * @throws MeshctlError `Timeout`, and what the API server refuses
 */
export async function makeNamespace(
  { signal }: Pick<Flow, 'signal'>,
  client: ClusterClient,
  namespace: KubeObject,
  { waitMs, rights }: OwnNamespaceOptions,
): Promise<KubeObject | undefined> {
  const ref = refOf(namespace);
  const isThere = (live: KubeObject | undefined) => (live?.metadata.deletionTimestamp ? undefined : true);
  // Watching namespaces is a right that only those need who make and delete them.
  if (!isThere(await client.get(ref))) {
    await waitForObject(client, ref, isThere, {
      timeoutMs: waitMs,
      signal,
      waitingFor: `an earlier ${describeRef(ref)} to be gone`,
    });
  }
  if (await client.get(ref)) return undefined;
  try {
    return await client.create(namespace);
  } catch (error) {
    // Another run makes it at the same time.
    if (!alreadyExists(error)) throw asLackOf(rights, error);
    return undefined;
  }
}

/** What is forbidden, with what grants it; other errors as they are. */
export function asLackOf(rights: string, error: unknown): unknown {
  if (!(error instanceof MeshctlError) || error.code !== 'Forbidden') return error;
  return new MeshctlError('Forbidden', error.message, {
    // Whoever runs it may not, so no command of theirs would help.
    hint: `Have a cluster administrator apply ${rights}.`,
    cause: error,
    details: error.details,
  });
}
