import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
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
  query: URLSearchParams;
  target: ResourceTarget | undefined;
}

/** Where it came from: the connection, and what was read of it beyond the request. */
export interface UpgradeConnection {
  socket: Duplex;
  head: Buffer;
}

/** Serves exec and port-forward over WebSocket and SPDY. */
export interface Upgrades {
  /** Throws ApiError before the protocol is switched. */
  serve(state: ClusterState, runtime: PodRuntime, upgrade: UpgradeRequest, connection: UpgradeConnection): void;
  /** Gives what serves the WebSocket that was asked for, once it is open. Throws ApiError. */
  accept(state: ClusterState, runtime: PodRuntime, upgrade: UpgradeRequest): (client: WebSocket) => void;
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

  const clients = new Set<WebSocket>();

  /** Serves one WebSocket. Throws 400 for parameters that it could not be served with. */
  const servant = (
    runtime: PodRuntime,
    { request, query }: UpgradeRequest,
    place: PodPlace,
  ): ((client: WebSocket) => void) => {
    if (place.purpose === 'exec') {
      const parameters = execIn(place, query);
      return (client) => void runExec(runtime, parameters, webSocketExecSession(client));
    }
    if ((request.headers['sec-websocket-protocol'] ?? '').includes(TUNNELED_PORT_FORWARD_PROTOCOL))
      return (client) => {
        const tunnel = createWebSocketStream(client);
        tunnel.on('error', () => client.terminate());
        forwardPortsOverSpdy(runtime, place.name, tunnel, EMPTY);
      };
    const ports = requestedPorts(query);
    return (client) => forwardPorts(runtime, place.name, ports, client);
  };

  const accept = (runtime: PodRuntime, upgrade: UpgradeRequest, place: PodPlace): ((client: WebSocket) => void) => {
    const serveClient = servant(runtime, upgrade, place);
    return (client) => {
      clients.add(client);
      client.on('close', () => clients.delete(client));
      serveClient(client);
    };
  };

  const serveSpdy = (
    runtime: PodRuntime,
    { request, query }: UpgradeRequest,
    { socket, head }: UpgradeConnection,
    place: PodPlace,
  ): void => {
    if (place.purpose === 'portforward') {
      switchToSpdy(request, socket, SPDY_PORT_FORWARD_PROTOCOL);
      forwardPortsOverSpdy(runtime, place.name, socket, head);
      return;
    }
    const parameters = execIn(place, query);
    switchToSpdy(request, socket, SPDY_EXEC_PROTOCOL);
    spdyExecSession(socket, head, parameters).then(
      (session) => runExec(runtime, parameters, session),
      () => socket.destroy(),
    );
  };

  return {
    accept: (state, runtime, upgrade) => accept(runtime, upgrade, placeOf(state, upgrade.target)),
    serve: (state, runtime, upgrade, connection) => {
      const { request } = upgrade;
      const place = placeOf(state, upgrade.target);
      if (isSpdy(request)) {
        serveSpdy(runtime, upgrade, connection, place);
        return;
      }
      if (!isWebSocket(request)) throw badRequest('unable to upgrade: neither to WebSocket nor to SPDY/3.1');
      const server = place.purpose === 'exec' ? execs : forwards;
      server.handleUpgrade(request, connection.socket, connection.head, accept(runtime, upgrade, place));
    },
    close: () => {
      for (const client of clients) client.terminate();
      for (const server of [execs, forwards]) server.close();
    },
  };
}

/** The pod that a request wants to get into, and for what. */
interface PodPlace {
  name: { namespace: string; pod: string };
  pod: KubeObject;
  purpose: 'exec' | 'portforward';
}

function placeOf(state: ClusterState, target: ResourceTarget | undefined): PodPlace {
  if (target?.resource.kind !== 'Pod' || target.name === undefined || target.namespace === undefined)
    throw noSuchPath();
  const pod = requireObject(state, target);
  const { subresource: purpose } = target;
  if (purpose !== 'exec' && purpose !== 'portforward') throw noSuchPath();
  return { name: { namespace: target.namespace, pod: target.name }, pod, purpose };
}

function execIn({ name, pod }: PodPlace, query: URLSearchParams): ExecParameters {
  return execParameters(query, { ...name, container: chooseContainer(pod, query.get('container')) });
}

const protocolOf = (request: IncomingMessage): string => request.headers.upgrade?.toLowerCase() ?? '';
const isWebSocket = (request: IncomingMessage): boolean => protocolOf(request) === 'websocket';
const isSpdy = (request: IncomingMessage): boolean => protocolOf(request) === 'spdy/3.1';
