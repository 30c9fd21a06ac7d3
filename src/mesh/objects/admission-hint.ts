import { describeCommand, kubectlCommand } from '../command-line.ts';

/** The webhook that an API server needs and that does not answer it, by the API server's message: it may come back. */
export function silentWebhook(message: string): string | undefined {
  return /failed calling webhook "([^"]+)"/.exec(message)?.[1];
}

/**
 * Where the rule is found by which an API server refuses what the user may do; undefined for other refusals.
 * @param message the API server's, or that of the error that was made of it (kube/errors.ts)
 */
export function admissionHint(
  { context, namespace }: { context: string; namespace?: string | undefined },
  message: string,
): string | undefined {
  const look = (...words: string[]): string => kubectlCommand({ context }, words);
  const webhooks = (...columns: string[]): string => {
    const kinds = 'validatingwebhookconfigurations,mutatingwebhookconfigurations';
    const shown = ['KIND:.kind', 'NAME:.metadata.name', 'WEBHOOKS:.webhooks[*].name', ...columns];
    return look('get', kinds, '-o', `custom-columns=${shown.join()}`);
  };
  if (/admission webhook "[^"]+" denie[sd]/.test(message))
    return `Whoever runs that webhook can tell, or let it pass; see whose it is: ${webhooks()}`;
  if (silentWebhook(message) !== undefined)
    return `Bring back the Service that answers for that webhook; see which it is: ${webhooks('SERVICES:.webhooks[*].clientConfig.service.name')}`;
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
