import type { ServerResponse } from 'node:http';
import { afterEach, beforeAll } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import {
  kubeconfigFor,
  makeServerIdentity,
  openClient,
  type ScriptedServer,
  type SeenRequest,
  type ServerIdentity,
  sendJson,
  startScriptedServer,
} from './kube-server.ts';

export const SECRET = { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: 'cilium-ca' };

export function secretNamed(name: string) {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kube-system' } };
}

/** One answer of a scripted server. */
export type Handle = (request: SeenRequest, response: ServerResponse) => void;

export function answer(status: number, body: unknown, headers: Record<string, string> = {}): Handle {
  return (_request, response) => sendJson(response, status, body, headers);
}

/** Hangs up. */
export const drop: Handle = ({ socket }) => socket.destroy();

export const good: Handle = answer(200, secretNamed('cilium-ca'));

export interface ScriptedCluster {
  identity(): ServerIdentity;
  serve(handle: Handle, by?: ServerIdentity): Promise<ScriptedServer>;
  open(
    url: string,
    settings?: Parameters<typeof kubeconfigFor>[1],
    options?: Parameters<typeof openClient>[1],
  ): ClusterClient;
  /** A server that gives these answers in turn, the last one for ever, and a client of it. */
  answering(...answers: Handle[]): Promise<{ client: ClusterClient; server: ScriptedServer }>;
  /** Has something closed after the test. */
  closeLater(one: { close(): unknown }): void;
}

/** Scripted servers and clients for the tests of a file; closed after each test. */
export function useScriptedCluster(): ScriptedCluster {
  let own: ServerIdentity | undefined;
  const opened: { close(): unknown }[] = [];

  beforeAll(async () => {
    own = await makeServerIdentity();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });

  const identity = () => {
    if (!own) throw new Error('the test has not begun');
    return own;
  };

  const cluster: ScriptedCluster = {
    identity,
    async serve(handle, by = identity()) {
      const server = await startScriptedServer(by, handle);
      opened.push(server);
      return server;
    },
    open(url, settings = {}, options = {}) {
      const client = openClient(kubeconfigFor(url, { ca: identity().authority.certificate, ...settings }), options);
      opened.push(client);
      return client;
    },
    async answering(...answers) {
      let next = 0;
      const server = await cluster.serve((request, response) => {
        answers[Math.min(next++, answers.length - 1)]?.(request, response);
      });
      return { client: cluster.open(server.url), server };
    },
    closeLater: (one) => opened.push(one),
  };
  return cluster;
}
