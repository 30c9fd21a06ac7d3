import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { PodRuntime } from './api.ts';
import { type ApiError, badRequest, noSuchPath } from './errors.ts';
import { execParameters, runExec } from './exec.ts';
import { EXEC_PROTOCOLS, webSocketExecSession } from './exec-websocket.ts';
import type { ClusterState } from './lifecycle.ts';
import { chooseContainer } from './pod-connection.ts';
import { forwardPorts, PORT_FORWARD_PROTOCOLS, requestedPorts } from './port-forward.ts';
import { requireObject } from './reads.ts';
import type { ResourceTarget } from './request-target.ts';

/** One authenticated and authorized request to leave HTTP. */
export interface UpgradeRequest {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  query: URLSearchParams;
  target: ResourceTarget | undefined;
}

/** Serves exec and port-forward over WebSocket. */
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

/** Makes the WebSocket side of a server. */
export function createUpgrades(): Upgrades {
  const choose = (supported: readonly string[]): WebSocketServer =>
    new WebSocketServer({
      noServer: true,
      handleProtocols: (offered) => supported.find((protocol) => offered.has(protocol)) ?? false,
    });
  const execs = choose(EXEC_PROTOCOLS);
  const forwards = choose(PORT_FORWARD_PROTOCOLS);

  return {
    serve: (state, runtime, { request, socket, head, query, target }) => {
      if (target?.resource.kind !== 'Pod' || target.name === undefined || target.namespace === undefined)
        throw noSuchPath();
      if (target.subresource !== 'exec' && target.subresource !== 'portforward') throw noSuchPath();
      const pod = requireObject(state, target);
      const place = { namespace: target.namespace, pod: target.name };
      if (request.headers.upgrade?.toLowerCase() !== 'websocket')
        throw badRequest('unable to upgrade: only WebSocket is supported');
      if (target.subresource === 'exec') {
        const parameters = execParameters(query, { ...place, container: chooseContainer(pod, query.get('container')) });
        execs.handleUpgrade(request, socket, head, (client) => {
          void runExec(runtime, parameters, webSocketExecSession(client));
        });
      } else {
        const ports = requestedPorts(query);
        forwards.handleUpgrade(request, socket, head, (client) => forwardPorts(runtime, place, ports, client));
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
