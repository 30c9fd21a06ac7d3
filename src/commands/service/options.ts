import type { ArgumentSpec, OptionSpec } from '../command-spec.ts';
import { parseNamespace } from '../options/option-values.ts';
import { NAMESPACE_VARIABLE } from '../options/shared-options.ts';

/** What several service commands take alike. */

export const SERVICE = {
  name: 'service',
  description: 'NAMESPACE/NAME, or NAME in the namespace of -n',
  complete: 'service',
} as const satisfies ArgumentSpec;

export const ALL_NAMESPACES = {
  flags: '-A, --all-namespaces',
  description: 'services of all namespaces, which is the default',
  default: false,
} as const satisfies OptionSpec;

export const NAMESPACE = {
  flags: '-n, --namespace <namespace>',
  description: 'namespace of the services',
  env: NAMESPACE_VARIABLE,
  parse: parseNamespace,
  complete: 'namespace',
  once: true,
} as const satisfies OptionSpec;
