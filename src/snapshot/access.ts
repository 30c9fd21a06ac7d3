import type { ClusterClient } from '../kube/client.ts';
import { unlessForbidden } from '../kube/unless-refused.ts';
import { accessRefs } from '../mesh/apiserver/access.ts';
import type { ObjectRef } from '../mesh/objects/kube-object.ts';

/** Of what the clustermesh-apiserver reads its cluster as, what is not there; undefined where nothing of it may be read. */
export async function readMissingAccess(client: ClusterClient, namespace: string): Promise<ObjectRef[] | undefined> {
  const reads = await Promise.all(
    accessRefs(namespace).map(async (ref) => {
      const read = await unlessForbidden(client.get(ref).then((object) => ({ isThere: object !== undefined })));
      return read && { ref, ...read };
    }),
  );
  const known = reads.filter((one) => one !== undefined);
  return known.length > 0 ? known.filter(({ isThere }) => !isThere).map(({ ref }) => ref) : undefined;
}
