/**
 * The backends in a Service's EndpointSlices, as Cilium reads them (pkg/k8s/endpoints.go): those of hostnames, and ports without a
 * number, are nothing to it.
 */
import type { KubeObject } from '../objects/kube-object.ts';
import { groupBy } from '../pairs.ts';
import { isFamily } from './backends.ts';
import type { ServiceBackend, ServicePort } from './service-facts.ts';

interface SliceEndpoint {
  addresses?: string[];
  conditions?: { ready?: boolean | null; serving?: boolean | null; terminating?: boolean | null };
  nodeName?: string;
  zone?: string;
  targetRef?: { kind?: string; name?: string };
}

interface SlicePort {
  name?: string | null;
  port?: number | null;
  protocol?: string | null;
}

/** On an EndpointSlice: of which Service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/**
 * Selects the EndpointSlices of a cluster's own backends: Cilium's operator sets this label on those in which it writes down what other
 * clusters have (pkg/clustermesh/endpointslicesync), which agents pass over (pkg/k8s/utils, GetEndpointSliceListOptionsModifier).
 */
export const NOT_MIRRORED = 'endpointslice.kubernetes.io/managed-by!=endpointslice-mesh-controller.cilium.io';

/** Weight 0 takes a slice's endpoints out of use in their own cluster. */
const WEIGHT_ANNOTATION = 'service.cilium.io/weight';

/**
 * One for each address. Of one that is in several slices, as where it moves from one to another or each has some of its ports, the
 * best that is said of it counts, whichever slice comes first, with the ports of all slices that say so.
 * @param slices of one Service
 */
export function backendsIn(slices: readonly KubeObject[]): ServiceBackend[] {
  return [...groupBy(slices.flatMap(endpointsOf), ({ address }) => address).values()].flatMap((entries) => {
    const best = Math.min(...entries.map(rank));
    const alike = entries.filter((entry) => rank(entry) === best);
    const ports = new Map(alike.flatMap((entry) => entry.ports ?? []).map((port) => [JSON.stringify(port), port]));
    return alike.slice(0, 1).map((entry) => ({ ...entry, ports: [...ports.values()] }));
  });
}

/** The lower, the rather it serves. */
function rank({ maintenance, ready, serving, terminating }: ServiceBackend): number {
  if (ready) return maintenance ? 1 : 0;
  return terminating && serving ? 2 : 3;
}

function endpointsOf({ metadata, addressType, ports, endpoints }: KubeObject): ServiceBackend[] {
  if (!isFamily(addressType)) return [];
  const maintenance = Number(metadata.annotations?.[WEIGHT_ANNOTATION] || NaN) === 0;
  const open = ((ports ?? []) as SlicePort[]).flatMap(portIn);
  return ((endpoints ?? []) as SliceEndpoint[]).flatMap(({ addresses = [], conditions, nodeName, zone, targetRef }) => {
    const ready = conditions?.ready ?? true;
    return addresses.map((address) => ({
      address,
      family: addressType,
      ports: open,
      ready,
      // Kubernetes has consumers defer to ready, as Cilium does up to 1.18; later ones publish such an endpoint although it is not
      // ready, on which nobody should count.
      serving: conditions?.serving ?? ready,
      terminating: conditions?.terminating ?? false,
      ...(maintenance ? { maintenance } : {}),
      ...(nodeName === undefined ? {} : { node: nodeName }),
      ...(zone === undefined ? {} : { zone }),
      ...(targetRef?.kind === 'Pod' && targetRef.name !== undefined ? { pod: targetRef.name } : {}),
    }));
  });
}

function portIn({ name, port, protocol }: SlicePort): ServicePort[] {
  return typeof port === 'number' ? [{ name: name ?? '', port, protocol: protocol ?? 'TCP' }] : [];
}
