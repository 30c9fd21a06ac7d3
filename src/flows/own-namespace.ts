import type { ClusterClient } from '../kube/client.ts';
import { waitForObject } from '../kube/wait.ts';
import { kubectlCommand } from '../mesh/command-line.ts';
import { alreadyExists, MeshctlError } from '../mesh/errors.ts';
import type { Installation } from '../mesh/installation.ts';
import { describeRef, type KubeObject, refOf } from '../mesh/objects/kube-object.ts';
import { type GrantPlace, grantingCommands, type PackageRole } from '../mesh/objects/package-roles.ts';
import type { Flow } from './flow.ts';

export interface OwnNamespaceOptions {
  /** For an earlier one of that name to be gone. */
  waitMs: number;
  /** What grants the right to whoever may not make it, for a hint. */
  rights: LackedRole;
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

/** A role of the package that a user may lack, and where it is to hold. */
export interface LackedRole extends GrantPlace {
  role: PackageRole;
  installation: Pick<Installation, 'folder'>;
}

/** Who has not even logged in is granted nothing. */
const ANONYMOUS = 'system:anonymous';

/** What is forbidden, with what grants the whole role to whoever was refused; other errors as they are. */
export function asLackOf(rights: LackedRole, error: unknown): unknown {
  if (!(error instanceof MeshctlError) || error.code !== 'Forbidden' || error.details.user === ANONYMOUS) return error;
  const commands = grantingLine(rights, error);
  // Whoever runs it may not, so no command of theirs would help.
  const hint =
    commands === undefined
      ? `Have a cluster administrator apply ${templatesOf(rights)}, and put whoever runs this into the group that it names; who that is, tells: ${kubectlCommand(rights, ['auth', 'whoami'])}`
      : `To grant all that it takes, as a cluster administrator: ${commands}`;
  return new MeshctlError('Forbidden', error.message, { hint, cause: error, details: error.details });
}

/** The commands that grant a role to whom an API server has refused; undefined where it does not say whom, or there are no files. */
export function grantingLine(
  { role, installation, ...place }: LackedRole,
  { details }: Pick<MeshctlError, 'details'>,
): string | undefined {
  const { user } = details;
  const { folder } = installation;
  if (typeof user !== 'string' || user === ANONYMOUS || folder === undefined) return undefined;
  return grantingCommands(role, place, user, folder);
}

/**
 * The step that removes what a run could not: where that was for want of a right, this comes first, since the line is for the same user.
 * @param rights that the role has; undefined for one that no role of the package has
 */
export function removalHint(rights: LackedRole | undefined, error: unknown, removal: string): string {
  if (!(error instanceof MeshctlError) || error.code !== 'Forbidden') return removal;
  if (!rights) return typeof error.details.user === 'string' && error.hint ? `${error.hint} && ${removal}` : removal;
  const commands = grantingLine(rights, error);
  return commands === undefined ? removal : `As a cluster administrator: ${commands} && ${removal}`;
}

const templatesOf = ({ role }: LackedRole) => `templates/rbac/${role.folder} of meshctl's package`;
