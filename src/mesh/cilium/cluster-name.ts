/** Cilium's rule for cluster names (pkg/clustermesh/types: 32 characters, this pattern). */
const NAME_PATTERN = /^([a-z0-9][-a-z0-9]*)?[a-z0-9]$/;
/** Characters. */
export const NAME_MAX_LENGTH = 32;

/** Why a cluster name cannot be used in a mesh; undefined when it can. */
export function checkClusterName(name: string): string | undefined {
  if (name === 'default') return 'the name is "default", which every unnamed cluster has';
  if (name.length > NAME_MAX_LENGTH) return `it has ${name.length} characters, ${NAME_MAX_LENGTH} are allowed`;
  if (!NAME_PATTERN.test(name)) {
    return 'only lower-case letters, digits and "-" are allowed, and a letter or digit at both ends';
  }
  return undefined;
}
