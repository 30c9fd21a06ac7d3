import { isAddress, isCidr } from '../cilium/cidr.ts';
import { parseVersion } from '../cilium/versions/versions.ts';
import { idleChoices } from '../enable/exposure/service-type.ts';
import { MeshctlError } from '../errors.ts';
import { parseValidity } from '../span.ts';
import type { ValueFault } from './fault.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * What of the options of enable cannot be, or does not go together.
 * @param defaults of the file: what they say counts here too
 */
export function enableFaults(own: Fields, defaults: Fields): ValueFault[] {
  const type = own.serviceType ?? defaults.serviceType;
  const { loadBalancerIp: ip, ciliumVersion: version, certValidity: validity } = own;
  return [
    ...(typeof type === 'string' ? idleChoices(type) : [])
      .filter(([field]) => own[field] !== undefined)
      .map(([field, of]): ValueFault => ({ path: [field], message: `is for Services of type ${of}, not ${type}` })),
    ...(typeof ip === 'string' && !isAddress(ip)
      ? [{ path: ['loadBalancerIp'], message: `"${ip}" is not an IP address` }]
      : []),
    ...listOf(own.loadBalancerSourceRanges).flatMap((range, index): ValueFault[] =>
      typeof range === 'string' && !isCidr(range)
        ? [{ path: ['loadBalancerSourceRanges', index], message: `"${range}" is not a CIDR` }]
        : [],
    ),
    ...(typeof version === 'string' && !parseVersion(version)
      ? [{ path: ['ciliumVersion'], message: `"${version}" is not a version` }]
      : []),
    ...(typeof validity === 'string' ? validityFaults(validity) : []),
  ];
}

function validityFaults(text: string): ValueFault[] {
  try {
    parseValidity(text);
    return [];
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
    return [{ path: ['certValidity'], message: error.message }];
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
