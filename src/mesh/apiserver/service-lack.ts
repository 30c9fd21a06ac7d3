import { type CommandPlace, kubectlCommand, meshctlCommand } from '../command-line.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { APISERVER } from '../objects/names.ts';
import { forceWords } from '../objects/ownership.ts';
import { type ServiceSpec, serviceSpec } from '../objects/service.ts';

/** Why a Service of the clustermesh-apiserver leads nobody anywhere as what it is, and what makes one of it that does. */
export interface ServiceLack {
  /** The field, written as in plans. */
  path: string;
  /** What it is, for "the Service is …". */
  is: string;
  hint: string;
}

/**
 * What keeps a Service from having an address of its own: an ExternalName is only a DNS alias; one without a clusterIP is
 * resolved to pods, whose addresses come and go and are in no certificate. The API server never gives the latter an address
 * afterwards (ServiceSpec: clusterIP cannot be changed), so it is made anew.
 */
export function lackOfService(
  { context, namespace }: CommandPlace & { context: string },
  service: KubeObject | undefined,
): ServiceLack | undefined {
  const { type, clusterIP, externalName } = serviceSpec(service);
  if (type === 'ExternalName') {
    const hint = meshctlCommand('clustermesh enable', { context }, ['--force-conflicts']);
    return { path: 'spec.type', is: `an ExternalName${externalName ? ` (${externalName})` : ''}`, hint };
  }
  if (clusterIP?.toLowerCase() !== 'none') return undefined;
  const away = kubectlCommand({ context, namespace }, ['delete', 'service', APISERVER]);
  const hint = `${away} && ${meshctlCommand('clustermesh enable', { context })}`;
  return { path: 'spec.clusterIP', is: 'headless (clusterIP: None)', hint };
}

/** The command that makes a Service one of another type. */
export function changeTypeCommand(
  context: string,
  service: KubeObject | undefined,
  type: NonNullable<ServiceSpec['type']>,
): string {
  const words = ['--service-type', type, ...forceWords(service, ['spec.type'])];
  return meshctlCommand('clustermesh enable', { context }, words);
}

/** The command by which a Service of one IP family gets addresses of both, where its cluster has both (ServiceSpec: ipFamilyPolicy). */
export function dualStackCommand(context: string, service: KubeObject | undefined): string {
  const setting = `Service/${APISERVER}:spec.ipFamilyPolicy=PreferDualStack`;
  return meshctlCommand('clustermesh enable', { context }, [
    '--set',
    setting,
    ...forceWords(service, ['spec.ipFamilyPolicy']),
  ]);
}
