import { describeCommand, kubectlCommand } from '../command-line.ts';

/**
 * Where the rule is found by which an API server refuses what the user may do; undefined for other refusals.
 * @param message the API server's, or that of the error that was made of it (kube/errors.ts)
 */
export function admissionHint(
  { context, namespace }: { context: string; namespace?: string | undefined },
  message: string,
): string | undefined {
  const look = (...words: string[]): string => kubectlCommand({ context }, words);
  if (/admission webhook "[^"]+" denie[sd]/.test(message)) {
    const columns = 'custom-columns=KIND:.kind,NAME:.metadata.name,WEBHOOKS:.webhooks[*].name';
    const kinds = 'validatingwebhookconfigurations,mutatingwebhookconfigurations';
    return `Whoever runs that webhook can tell, or let it pass; see whose it is: ${look('get', kinds, '-o', columns)}`;
  }
  // As Kubernetes' plugin/policy/validating words it.
  const policy = /ValidatingAdmissionPolicy '([a-z0-9][-.a-z0-9]*)' with binding '[^']+' denied/.exec(message)?.[1];
  if (policy) return `See what that policy asks for: ${look('get', 'validatingadmissionpolicy', policy, '-o', 'yaml')}`;
  const quota = /exceeded quota: ([a-z0-9][-.a-z0-9]*)/.exec(message)?.[1];
  if (quota && namespace) {
    const describe = describeCommand({ context, namespace }, 'resourcequota', { name: quota });
    return `Have that quota raised, or make room in it: ${describe}`;
  }
  const ending = /in namespace ([a-z0-9][-a-z0-9]*) because it is being terminated/.exec(message)?.[1];
  return ending && `Run the same command again once it is gone: ${look('wait', '--for=delete', `namespace/${ending}`)}`;
}
