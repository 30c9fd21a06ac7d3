import { counted } from '../counted.ts';
import { groupBy } from '../pairs.ts';

/** What a role allows: a `PolicyRule` of RBAC, as roles have it and as a SelfSubjectRulesReview answers it. */
export interface AccessRule {
  verbs: readonly string[];
  apiGroups: readonly string[];
  /** With subresources: `pods/exec`. */
  resources: readonly string[];
  /** Absent or empty: all of them. */
  resourceNames?: readonly string[] | undefined;
}

/** A resource with the verbs that are allowed on it, or lacking. */
export interface Right {
  apiGroup: string;
  resource: string;
  verbs: readonly string[];
}

/**
 * What is needed and not held, each resource once, in the order of the rules. A right in named objects only counts for a need
 * of the same names.
 */
export function missingRights(needed: readonly AccessRule[], held: readonly AccessRule[]): Right[] {
  const missing = new Map<string, Right>();
  for (const { apiGroups, resources, verbs, resourceNames = [] } of needed) {
    for (const apiGroup of apiGroups) {
      for (const resource of resources) {
        const lacking = verbs.filter(
          (verb) => !held.some((rule) => allows(rule, { apiGroup, resource, verb, names: resourceNames })),
        );
        if (lacking.length === 0) continue;
        const key = `${resource}.${apiGroup}`;
        const all = [...new Set([...(missing.get(key)?.verbs ?? []), ...lacking])];
        missing.set(key, { apiGroup, resource, verbs: all });
      }
    }
  }
  return [...missing.values()];
}

function allows(
  rule: AccessRule,
  { apiGroup, resource, verb, names }: { apiGroup: string; resource: string; verb: string; names: readonly string[] },
): boolean {
  const [, sub] = resource.split('/');
  const has = (list: readonly string[], value: string) => list.includes(value) || list.includes('*');
  const isOnIt = has(rule.resources, resource) || (sub !== undefined && rule.resources.includes(`*/${sub}`));
  const own = rule.resourceNames ?? [];
  const isForAll = own.length === 0 || (names.length > 0 && names.every((name) => own.includes(name)));
  return has(rule.apiGroups, apiGroup) && isOnIt && has(rule.verbs, verb) && isForAll;
}

/** A resource as kubectl takes it: `kind.group/sub`. */
export function kubectlResource({ apiGroup, resource }: Right): string {
  const [kind = '', sub] = resource.split('/');
  return `${kind}${apiGroup ? `.${apiGroup}` : ''}${sub ? `/${sub}` : ''}`;
}

/** How many resources are named before the rest is only counted. */
const MOST_NAMED = 8;

/** `get, list: secrets, configmaps; list: daemonsets.apps`: what goes with the same verbs together. */
export function describeRights(rights: readonly Right[]): string {
  const byVerbs = groupBy(rights.slice(0, MOST_NAMED), ({ verbs }) => verbs.join(', '));
  const named = [...byVerbs].map(([verbs, own]) => `${verbs}: ${own.map(kubectlResource).join(', ')}`).join('; ');
  const more = rights.length - MOST_NAMED;
  return more > 0 ? `${named}; and some on ${counted(more, 'more resource')}` : named;
}
