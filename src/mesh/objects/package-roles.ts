import { grantCommand, kubectlCommand, shellWord } from '../command-line.ts';

/** Roles of the package, in a folder of their own. */
export interface PackageRole {
  /** Of the package. */
  folder: string;
  /** The namespace that it makes, and that its files name; absent where it has none. */
  namespace?: string;
  /** Its roles, and what each holds in. */
  roles: readonly { name: string; in: 'cluster' | 'namespace' | 'cilium' }[];
}

/** All that meshctl needs for its clusters, but for what has a role of its own. */
export const OPERATOR: PackageRole = {
  folder: 'templates/rbac',
  roles: [
    { name: 'meshctl-operator', in: 'cilium' },
    { name: 'meshctl-operator', in: 'cluster' },
  ],
};

/** What the commands need that only look: a part of the operator's rights. */
export const VIEWER: PackageRole = {
  folder: 'templates/rbac/viewer',
  roles: [
    { name: 'meshctl-viewer', in: 'cilium' },
    { name: 'meshctl-viewer', in: 'cluster' },
  ],
};

export const PROBER: PackageRole = {
  folder: 'templates/rbac/probe',
  namespace: 'meshctl-probe',
  roles: [{ name: 'meshctl-prober', in: 'namespace' }],
};

export const CONNECTIVITY_TESTER: PackageRole = {
  folder: 'templates/rbac/connectivity-test',
  namespace: 'meshctl-test',
  roles: [
    { name: 'meshctl-connectivity-tester', in: 'namespace' },
    { name: 'meshctl-connectivity-tester', in: 'cilium' },
  ],
};

export const DEMONSTRATOR: PackageRole = {
  folder: 'templates/rbac/demo',
  roles: [{ name: 'meshctl-demo', in: 'cluster' }],
};

/** The namespace that files of templates/rbac name for Cilium's. */
const CILIUM_NAMESPACE = 'kube-system';

/** Where a role is to hold. */
export interface GrantPlace {
  context: string;
  /** Of what the role is for. */
  namespace: string;
  /** Cilium's. */
  ciliumNamespace: string;
}

/**
 * The line by which whoever administers the cluster makes the roles of a folder, and lets one user have them: the groups that its
 * bindings name are mostly not the user's. Typed twice it changes nothing.
 * @param packageFolder with a slash at its end
 * @param user as the API server names whom it has refused
 */
export function grantingCommands(role: PackageRole, place: GrantPlace, user: string, packageFolder: string): string {
  const { context, namespace, ciliumNamespace } = place;
  const bound = role.roles.map(({ name, in: scope }) =>
    scope === 'cluster'
      ? bindCommand({ context }, { clusterRole: name }, user)
      : bindCommand({ context, namespace: scope === 'cilium' ? ciliumNamespace : namespace }, { role: name }, user),
  );
  return [makeCommand(role, place, `${packageFolder}${role.folder}`), ...bound].join(' && ');
}

/** Who types {@link grantingCommands}, mostly someone else: the path in it is one of this machine. */
export function asAdministrator({ folder }: PackageRole): string {
  return `as a cluster administrator (on another machine with the path of ${folder} in meshctl's package there)`;
}

/** kubectl takes the namespaces that files name, and no others. */
function makeCommand(role: PackageRole, { context, namespace, ciliumNamespace }: GrantPlace, folder: string): string {
  const isElsewhere = role.namespace !== undefined && namespace !== role.namespace;
  const isOfCilium = role.roles.some(({ in: scope }) => scope === 'cilium');
  const moves = [
    ...(isElsewhere ? [`s/^  namespace: ${role.namespace}$/  namespace: ${namespace}/`] : []),
    ...(isOfCilium && ciliumNamespace !== CILIUM_NAMESPACE
      ? [
          `s/^  namespace: ${CILIUM_NAMESPACE}$/  namespace: ${ciliumNamespace}/`,
          `s/\\[${CILIUM_NAMESPACE}\\]/[${ciliumNamespace}]/`,
        ]
      : []),
  ];
  if (moves.length === 0) return kubectlCommand({ context }, ['apply', '-f', folder]);
  const reconcile = kubectlCommand({ context }, ['auth', 'reconcile', '-f', '-']);
  const moved = `sed '${moves.join('; ')}' ${shellWord(folder)}/*role*.yaml | ${reconcile}`;
  // A namespace of another name is the user's: it is made where there is none, and else left as it is.
  return isElsewhere || role.namespace === undefined
    ? moved
    : `${kubectlCommand({ context }, ['apply', '-f', `${folder}/namespace.yaml`])} && ${moved}`;
}

/** The line that lets a user have a role. */
function bindCommand(
  place: { context: string; namespace?: string },
  of: { role: string } | { clusterRole: string },
  user: string,
): string {
  const [kind, role] = 'role' in of ? ['role', of.role] : ['clusterrole', of.clusterRole];
  const name = `${role}-${user.toLowerCase().replaceAll(/[^a-z0-9.-]+/g, '-')}`;
  return grantCommand(place, [`${kind}binding`, name, `--${kind}=${role}`, `--user=${user}`]);
}
