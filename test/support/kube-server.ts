import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Kubeconfig, KubeconfigUser } from '../../src/kube/access/kubeconfig-entries.ts';
import type { ClientOptions, ClusterClient } from '../../src/kube/client.ts';
import { openCluster } from '../../src/kube/open-cluster.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { issueCertificate } from '../../src/pki/issue.ts';

/** A CA and a serving certificate for 127.0.0.1 and localhost. */
export interface ServerIdentity {
  authority: Authority;
  certificate: string;
  privateKey: string;
}

export async function makeServerIdentity({ now = new Date(), validityMs = 86_400_000 } = {}): Promise<ServerIdentity> {
  const authority = await createAuthority({ commonName: 'test CA', now });
  const spec = { commonName: 'api', usages: ['server' as const], dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] };
  return { authority, ...(await issueCertificate(authority, spec, { now, validityMs })) };
}

export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
  /** Common name of the client certificate. */
  clientName: string | undefined;
  /** Tells connections apart. */
  socket: TLSSocket;
}

/** An API server whose every answer the test writes. */
export interface ScriptedServer {
  url: string;
  port: number;
  seen: SeenRequest[];
  close(): Promise<void>;
}

export async function startScriptedServer(
  identity: ServerIdentity,
  handle: (request: SeenRequest, response: ServerResponse) => void,
  onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  const sockets = new Set<Duplex>();
  const server = https.createServer({
    cert: identity.certificate,
    key: identity.privateKey,
    ca: identity.authority.certificate,
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const url = new URL(request.url ?? '/', 'https://localhost');
    const socket = request.socket as TLSSocket;
    const one: SeenRequest = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      clientName: socket.getPeerCertificate().subject?.CN as string | undefined,
      socket,
    };
    seen.push(one);
    handle(one, response);
  });
  if (onUpgrade) server.on('upgrade', onUpgrade);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** A `Status` as the API server sends it with an error. */
export function failure(code: number, reason: string, message: string, details: Record<string, unknown> = {}) {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', metadata: {}, code, reason, message, details };
}

export function kubeconfigFor(
  url: string,
  {
    ca,
    user = {},
    cluster = {},
  }: { ca?: string; user?: Partial<KubeconfigUser>; cluster?: Record<string, unknown> } = {},
): Kubeconfig {
  const caData = ca && Buffer.from(ca).toString('base64');
  return {
    files: ['kubeconfig'],
    currentContext: 'c1',
    contexts: [{ name: 'c1', cluster: 'c1', user: 'jane' }],
    clusters: [{ name: 'c1', server: url, skipTLSVerify: false, ...(caData ? { caData } : {}), ...cluster }],
    users: [{ name: 'jane', ...user }],
  };
}

/** A client with short waits. */
export function openClient(kubeconfig: Kubeconfig, options: Partial<ClientOptions> = {}): ClusterClient {
  return openCluster(kubeconfig, {
    requestTimeoutMs: 5000,
    userAgent: 'meshctl/test',
    signal: new AbortController().signal,
    retry: { attempts: 3, baseDelayMs: 1, maxDelayMs: 20 },
    ...options,
  });
}
