import pLimit from 'p-limit';
import { MeshctlError } from '../../mesh/errors.ts';
import { SERVER_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { dataOf } from '../../mesh/objects/secret-data.ts';
import { TLS_KEYS } from '../../mesh/plan/plan.ts';
import type { Target } from '../flow.ts';

/** What the server of each cluster shows and takes, by context; without those of which it could not be read. */
export type ServerCertificates = ReadonlyMap<string, string>;

/** As long as a slow API server takes for an answer. */
const LOOK_TIMEOUT_MS = 30_000;

/** Reads the server's certificate of each cluster with the CAs beside it. Never throws; goes on after Ctrl-C. */
export async function readServerCertificates(
  targets: readonly Target[],
  parallel: number,
): Promise<ServerCertificates> {
  const limit = pLimit(parallel);
  const signal = AbortSignal.timeout(LOOK_TIMEOUT_MS);
  const readOne = async ({ client, namespace }: Target): Promise<[string, string][]> => {
    try {
      const secret = await client.get(secretRef(namespace, SERVER_CERT_SECRET), { signal });
      if (!secret) return [];
      const data = dataOf(secret);
      return [[client.context, JSON.stringify([data[TLS_KEYS.ca], data[TLS_KEYS.certificate]])]];
    } catch (error) {
      if (error instanceof MeshctlError) return [];
      throw error;
    }
  };
  const read = await Promise.all(targets.map((target) => limit(() => readOne(target))));
  return new Map(read.flat());
}

/**
 * The clusters whose certificates have been renewed since: what peers held of them, and had given up meanwhile, was not, and may be
 * from a CA that they trust no longer. Of those that could not be read at one of the times nothing is known.
 */
export function renewedSince(before: ServerCertificates, now: ServerCertificates): string[] {
  return [...now].flatMap(([context, shown]) => {
    const was = before.get(context);
    return was !== undefined && was !== shown ? [context] : [];
  });
}
