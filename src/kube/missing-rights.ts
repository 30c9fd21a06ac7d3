import { grantCommand } from '../mesh/command-line.ts';
import { kubectlResource, type Right } from '../mesh/objects/access-rules.ts';
import { groupBy } from '../mesh/pairs.ts';

interface Missing {
  context: string;
  /** Absent for rights in the whole cluster. */
  namespace?: string | undefined;
  rights: readonly Right[];
  user: string | undefined;
}

/** Whether nothing is changed by a verb of RBAC. */
export function isLooking(verb: string): boolean {
  return ['get', 'list', 'watch'].includes(verb);
}

/** By which programs in pods are asked, whatever the verb is called. */
const ASKING: readonly string[] = ['pods/exec', 'pods/portforward'];

/** How whoever administers the cluster grants rights: with `kubectl create role`, which takes resources as `kind.group/sub`. */
export function grantHint({ context, namespace, rights, user }: Missing): string {
  const isLook = rights.every(({ resource, verbs }) => ASKING.includes(resource) || verbs.every(isLooking));
  const looking = isLook ? ', and what looking takes in its folder viewer, for meshctl-viewers' : '';
  const all = `All that meshctl needs is in templates/rbac of meshctl's package, for the group meshctl-operators${looking}`;
  const isNameable = rights.every(({ resource }) => /^[a-z-]+(\/[a-z]+)?$/.test(resource));
  if (user === undefined || !isNameable) {
    const scope = namespace ? ` in namespace ${namespace}` : '';
    const rules = rights.map(
      ({ apiGroup, resource, verbs }) =>
        `apiGroups ["${apiGroup}"], resources ["${resource}"], verbs ${JSON.stringify(verbs)}`,
    );
    return `${all}; grant this${scope} with a rule: ${rules.join('; ')}`;
  }
  const [role, binding] = namespace ? ['role', 'rolebinding'] : ['clusterrole', 'clusterrolebinding'];
  const create = (...words: string[]) => grantCommand({ context, namespace }, words);
  const commands = [...groupBy(rights, ({ verbs: own }) => own.join())].flatMap(([verbs, resources]) => {
    const name = `meshctl-${verbs}-${resources.map(({ resource }) => resource)}`.replaceAll(/[/,]/g, '-');
    return [
      create(role, name, `--verb=${verbs}`, `--resource=${resources.map(kubectlResource)}`),
      create(binding, name, `--${role}=${name}`, `--user=${user}`),
    ];
  });
  const these = rights.length === 1 ? 'this right alone' : 'these rights alone';
  return `${all}; ${these}, granted by a cluster administrator: ${commands.join(' && ')}`;
}

/** What an object would have given others that its writer has not. */
export interface WithheldRights {
  user: string;
  rights: readonly Right[];
}

/**
 * Reads the refusal of an object that hands rights on: a role, or a binding. Undefined for any other message.
 * Source: Kubernetes, pkg/registry/rbac/validation/rule.go (a line for each rule, its lists as Go prints them).
 */
export function withheldRights(message: string): WithheldRights | undefined {
  const [, user, rules] =
    /user "([^"]*)" .*is attempting to grant RBAC permissions not currently held:\s*(.*)/s.exec(message) ?? [];
  if (user === undefined || rules === undefined) return undefined;
  const rights = [...rules.matchAll(/\{([^}]*)\}/g)].flatMap(([, rule = '']) => {
    const list = (field: string) => {
      const items = new RegExp(`\\b${field}:\\[([^\\]]*)\\]`).exec(rule)?.[1] ?? '';
      return [...items.matchAll(/"([^"]*)"/g)].map(([, item = '']) => item);
    };
    const verbs = list('Verbs');
    return list('APIGroups').flatMap((apiGroup) =>
      list('Resources').map((resource) => ({ apiGroup, resource, verbs })),
    );
  });
  return { user, rights };
}
