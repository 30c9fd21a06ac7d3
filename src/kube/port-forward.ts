import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { kubectlCommand } from '../mesh/command-line.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { ApiAction, Whereabouts } from './errors.ts';
import { type LinkedSignal, linkSignals, timeoutSignal } from './http/linked-signal.ts';
import type { Transport } from './http/transport.ts';
import { segment } from './resources.ts';

export interface PortForwardOptions {
  namespace: string;
  pod: string;
  port: number;
  /** How long it may take to open; default: what a request may. */
  openWithinMs?: number | undefined;
  /** Ends the connection at any time. */
  signal?: AbortSignal | undefined;
}

/**
 * The kubelet's port-forward over WebSocket (k8s.io/cri-streaming, portforward/websocket.go): per port a data and an
 * error channel, each of which begins with the port number in two bytes.
 */
const PROTOCOLS = ['v4.channel.k8s.io'];
const DATA = 0;
const ERROR = 1;
const PORT_NUMBER_BYTES = 2;

/**
 * Connects to a port of a pod through the API server. The stream fails with `PortForwardFailed` when the kubelet
 * cannot reach the port. The protocol knows no half-close: ending the writing side closes the connection.
 * @throws MeshctlError `PortForwardFailed` (not open in time), `NotFound` (no such pod), `Forbidden` and so on
 */
export async function forwardPort(
  transport: Transport,
  at: Whereabouts,
  { namespace, pod, port, openWithinMs, signal: own }: PortForwardOptions,
): Promise<Duplex> {
  const place = `port ${port} of Pod ${namespace}/${pod}`;
  // As a GET it needs the verb get; from Kubernetes 1.35 on also create, as over SPDY always.
  const action: ApiAction = {
    ...at,
    verb: 'get',
    target: `Pod ${namespace}/${pod}`,
    attempt: `forward ${place}`,
    apiGroup: '',
    resource: 'pods/portforward',
    namespace,
  };
  const path = `/api/v1/namespaces/${segment(namespace, 'a namespace')}/pods/${segment(pod, 'a Pod')}/portforward?ports=${port}`;
  const failed = (why: string, hint = 'Is the pod running, and does it listen on that port?') =>
    new MeshctlError('PortForwardFailed', `context "${at.context}": cannot forward ${place}: ${why}`, {
      hint,
      details: { context: at.context, object: place },
    });
  const link = transport.signalOf(own);
  const opening = linkSignals(link.signal, ...(openWithinMs === undefined ? [] : [timeoutSignal(openWithinMs)]));
  try {
    const socket = await transport.openWebSocket({ action, path, signal: opening.signal }, PROTOCOLS);
    return streamOver(socket, link, failed);
  } catch (error) {
    link.unlink();
    if (openWithinMs === undefined || !opening.signal.aborted || link.signal.aborted) throw error;
    throw failed(
      `it did not open within ${openWithinMs / 1000} s`,
      `The API server asks the kubelet of the pod's node; is that up? ${kubectlCommand({ context: at.context, namespace }, ['get', 'pod', pod, '-o', 'wide'])}`,
    );
  } finally {
    opening.unlink();
  }
}

function streamOver(
  socket: WebSocket,
  { signal, unlink }: LinkedSignal,
  failed: (why: string) => MeshctlError,
): Duplex {
  const stream = new Duplex({
    // What the other side has closed is over: no later abort may fail it, when nobody listens any more.
    allowHalfOpen: false,
    read() {
      socket.resume();
    },
    write(chunk: Buffer, _encoding, done) {
      socket.send(Buffer.concat([Buffer.of(DATA), chunk]), done);
    },
    final(done) {
      socket.close();
      done();
    },
    destroy(error, done) {
      signal.removeEventListener('abort', onAbort);
      unlink();
      socket.terminate();
      done(error);
    },
  });
  function onAbort() {
    stream.destroy(failed('interrupted'));
  }
  signal.addEventListener('abort', onAbort, { once: true });

  const begun = [false, false];
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? -1;
    if (channel !== DATA && channel !== ERROR) return;
    const payload = begun[channel] ? data.subarray(1) : data.subarray(1 + PORT_NUMBER_BYTES);
    begun[channel] = true;
    if (payload.length === 0) return;
    if (channel === ERROR) stream.destroy(failed(payload.toString('utf8').trim()));
    else if (!stream.push(payload)) socket.pause();
  });
  socket.on('error', (error) => stream.destroy(failed(error.message)));
  socket.on('close', () => stream.push(null));
  if (signal.aborted) onAbort();
  return stream;
}
