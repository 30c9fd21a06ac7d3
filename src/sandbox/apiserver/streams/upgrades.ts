import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { PodRuntime } from '../api.ts';
import { ApiError, badRequest, noSuchPath } from '../errors.ts';
import type { ResourceTarget } from '../http/request-target.ts';
import type { ClusterState } from '../storage/lifecycle.ts';
import { requireObject } from '../storage/reads.ts';
import { type ExecParameters, execParameters, runExec } from './exec.ts';
import { SPDY_EXEC_PROTOCOL, spdyExecSession } from './exec-spdy.ts';
import { EXEC_PROTOCOLS, webSocketExecSession } from './exec-websocket.ts';
import { chooseContainer } from './pod-connection.ts';
import { forwardPorts, PORT_FORWARD_PROTOCOLS, requestedPorts } from './port-forward.ts';
import {
  forwardPortsOverSpdy,
  SPDY_PORT_FORWARD_PROTOCOL,
  TUNNELED_PORT_FORWARD_PROTOCOL,
} from './port-forward-spdy.ts';

/** One authenticated and authorized request to leave HTTP. */
export interface UpgradeRequest {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  query: URLSearchParams;
  target: ResourceTarget | undefined;
}

/** Serves exec and port-forward over WebSocket and SPDY. */
export interface Upgrades {
  /** Throws ApiError before the protocol is switched. */
  serve(state: ClusterState, runtime: PodRuntime, upgrade: UpgradeRequest): void;
  /** Ends all connections. */
  close(): void;
}

/** Refuses an upgrade in plain HTTP. */
export function refuseUpgrade(socket: Duplex, error: ApiError): void {
  const body = JSON.stringify(error.toStatus());
  const head = `HTTP/1.1 ${error.code} ${error.reason}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  socket.end(head + body);
}

const EMPTY = Buffer.alloc(0);

/** Switches to SPDY/3.1 with the given protocol. Throws 403 where the client does not offer it, as a real server does. */
function switchToSpdy(request: IncomingMessage, socket: Duplex, protocol: string): void {
  const offered = [request.headers['x-stream-protocol-version'] ?? []]
    .flat()
    .flatMap((line) => line.split(',').map((name) => name.trim()));
  if (!offered.includes(protocol)) {
    throw new ApiError(
      403,
      'Forbidden',
      `unable to upgrade: unable to negotiate protocol: client supports ${offered.join(', ')}, server accepts ${protocol}`,
    );
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\nx-stream-protocol-version: ${protocol}\r\n\r\n`,
  );
}

/** Makes the part of a server that speaks with pods. */
export function createUpgrades(): Upgrades {
  const choose = (supported: readonly string[]): WebSocketServer =>
    new WebSocketServer({
      noServer: true,
      handleProtocols: (offered) => supported.find((protocol) => offered.has(protocol)) ?? false,
    });
  const execs = choose(EXEC_PROTOCOLS);
  const forwards = choose([TUNNELED_PORT_FORWARD_PROTOCOL, ...PORT_FORWARD_PROTOCOLS]);

  const serveExec = (
    runtime: PodRuntime,
    { request, socket, head }: UpgradeRequest,
    parameters: ExecParameters,
  ): void => {
    if (isWebSocket(request)) {
      execs.handleUpgrade(
        request,
        socket,
        head,
        (client) => void runExec(runtime, parameters, webSocketExecSession(client)),
      );
      return;
    }
    switchToSpdy(request, socket, SPDY_EXEC_PROTOCOL);
    spdyExecSession(socket, head, parameters).then(
      (session) => runExec(runtime, parameters, session),
      () => socket.destroy(),
    );
  };

  const servePortForward = (
    runtime: PodRuntime,
    { request, socket, head, query }: UpgradeRequest,
    place: { namespace: string; pod: string },
  ): void => {
    if (!isWebSocket(request)) {
      switchToSpdy(request, socket, SPDY_PORT_FORWARD_PROTOCOL);
      forwardPortsOverSpdy(runtime, place, socket, head);
      return;
    }
    const isTunneled = (request.headers['sec-websocket-protocol'] ?? '').includes(TUNNELED_PORT_FORWARD_PROTOCOL);
    const ports = isTunneled ? [] : requestedPorts(query);
    forwards.handleUpgrade(request, socket, head, (client) => {
      if (!isTunneled) return forwardPorts(runtime, place, ports, client);
      const tunnel = createWebSocketStream(client);
      tunnel.on('error', () => client.terminate());
      forwardPortsOverSpdy(runtime, place, tunnel, EMPTY);
    });
  };

  return {
    serve: (state, runtime, upgrade) => {
      const { target, request, query } = upgrade;
      if (target?.resource.kind !== 'Pod' || target.name === undefined || target.namespace === undefined)
        throw noSuchPath();
      const pod = requireObject(state, target);
      const place = { namespace: target.namespace, pod: target.name };
      if (!isWebSocket(request) && !isSpdy(request))
        throw badRequest('unable to upgrade: neither to WebSocket nor to SPDY/3.1');
      if (target.subresource === 'exec') {
        const container = chooseContainer(pod, query.get('container'));
        serveExec(runtime, upgrade, execParameters(query, { ...place, container }));
      } else if (target.subresource === 'portforward') {
        servePortForward(runtime, upgrade, place);
      } else {
        throw noSuchPath();
      }
    },
    close: () => {
      for (const server of [execs, forwards]) {
        for (const client of server.clients) client.terminate();
        server.close();
      }
    },
  };
}

const protocolOf = (request: IncomingMessage): string => request.headers.upgrade?.toLowerCase() ?? '';
const isWebSocket = (request: IncomingMessage): boolean => protocolOf(request) === 'websocket';
const isSpdy = (request: IncomingMessage): boolean => protocolOf(request) === 'spdy/3.1';
