import type { Duplex } from 'node:stream';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { ETCD_PORT, serviceHostname } from '../../mesh/objects/names.ts';
import type { Flow, Target } from '../flow.ts';

/** A client certificate in memory, with the CA to trust. PEM. */
export interface ClientCertificate {
  ca: string;
  certificate: string;
  privateKey: string;
}

/** A connection to the etcd of a clustermesh-apiserver pod, and the name that its certificate holds in any case. */
export interface OpenEtcd {
  socket: Duplex;
  serverName: string;
  signal: AbortSignal;
  /** The cluster's time. */
  at: Date;
}

/**
 * Opens a port-forward to a pod's etcd through the API server: no network path from here to the mesh is needed.
 * @param withinMs how long that may take
 * @throws MeshctlError `PortForwardFailed`, `NotFound`, or why the API server cannot be asked
 */
export async function openEtcd(
  { signal }: Pick<Flow, 'signal'>,
  { client, namespace }: Target,
  pod: KubeObject,
  withinMs: number,
): Promise<OpenEtcd> {
  const place = { namespace, pod: pod.metadata.name, port: ETCD_PORT };
  const socket = await client.portForward({ ...place, openWithinMs: withinMs, signal });
  return { socket, serverName: serviceHostname(namespace), signal, at: client.now() };
}
