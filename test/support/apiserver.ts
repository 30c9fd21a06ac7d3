import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { type IssuedCertificate, issueCertificate } from '../../src/pki/issue.ts';
import type { ApiServer, ApiServerOptions, ExecRequest, PodRuntime } from '../../src/sandbox/apiserver/api.ts';
import { startApiServer } from '../../src/sandbox/apiserver/server.ts';

/** A client's certificate and key, PEM. */
export interface ClientIdentity {
  certificate: string;
  privateKey: string;
}

/** A server that tests ask: the sandbox's, or a real one. */
export interface TestServer {
  /** `https://127.0.0.1:PORT`. */
  url: string;
  /** PEM of the CA of both sides. */
  ca: string;
  /** Group system:masters. */
  admin: ClientIdentity;
  /** No group. */
  nobody: ClientIdentity;
  /** PEM client certificate of another CA. */
  stranger: ClientIdentity;
  close(): Promise<void>;
}

/** The sandbox's server. */
export interface SandboxServer extends TestServer {
  server: ApiServer;
}

/** Runs `echo`, `cat`, `fail CODE`, `sleep` (until aborted); forwards ports to an echo, refuses port 1. */
export function fakeRuntime(): PodRuntime & { execs: ExecRequest[] } {
  const execs: ExecRequest[] = [];
  return {
    execs,
    exec: async (request) => {
      execs.push(request);
      const [program, ...args] = request.command;
      if (program === 'echo') request.stdout.write(Buffer.from(`${args.join(' ')}\n`));
      else if (program === 'cat' && request.stdin) for await (const chunk of request.stdin) request.stdout.write(chunk);
      else if (program === 'sleep') await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
      else if (program === 'fail') {
        request.stderr.write(Buffer.from('it failed\n'));
        return Number(args[0]);
      } else throw new Error(`exec: "${program}": executable file not found in $PATH`);
      return 0;
    },
    portForward: async (_namespace, pod, port) => {
      if (port === 1) throw new Error(`dial tcp ${pod}:1: connect: connection refused`);
      return new Duplex({
        read() {},
        write(chunk: Buffer, _encoding, done) {
          this.push(Buffer.from(`${port}:${chunk.toString()}`));
          done();
        },
        final(done) {
          this.push(null);
          done();
        },
      });
    },
    logs: (_namespace, pod, container) => `first line of ${pod}\nsecond line of ${container}\n`,
  };
}

/** The certificate of a test server on loopback. */
export function servingCertificate(authority: Authority): Promise<IssuedCertificate> {
  return issueCertificate(authority, {
    commonName: 'kube-apiserver',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
  });
}

/** The clients of a test server whose client CA is `authority`. */
export async function clientIdentities(
  authority: Authority,
): Promise<Pick<TestServer, 'admin' | 'nobody' | 'stranger'>> {
  const other = await createAuthority({ commonName: 'another' });
  const client = (commonName: string, organization?: string, ca = authority): Promise<ClientIdentity> =>
    issueCertificate(ca, {
      commonName,
      ...(organization ? { organization } : {}),
      dnsNames: [],
      ipAddresses: [],
      usages: ['client'],
    });
  return {
    admin: await client('kubernetes-admin', 'system:masters'),
    nobody: await client('nobody'),
    stranger: await client('kubernetes-admin', 'system:masters', other),
  };
}

/** For who is not about TLS or logins, which cost a command two fifths of its time: behind a proxy that has done them. */
export const PROXIED = {
  proxiedAs: { user: 'kubernetes-admin', groups: ['system:masters'] },
} satisfies Partial<ApiServerOptions>;

/** The sandbox's API server with certificates of its own. */
export async function startTestServer(options: Partial<ApiServerOptions> = {}): Promise<SandboxServer> {
  const authority = await createAuthority({ commonName: 'kubernetes' });
  const serving = await servingCertificate(authority);
  const server = await startApiServer({
    name: 'test',
    certificate: serving.certificate,
    privateKey: serving.privateKey,
    clientCa: authority.certificate,
    kubernetesVersion: 'v1.36.1',
    runtime: fakeRuntime(),
    ...options,
  });
  return {
    server,
    url: server.url,
    ca: authority.certificate,
    ...(await clientIdentities(authority)),
    close: () => server.close(),
  };
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all kinds
  body: any;
}

export interface Call {
  method?: string;
  body?: unknown;
  type?: string;
  accept?: string;
  as?: ClientIdentity | undefined;
  headers?: Record<string, string>;
}

/** The TLS side of a request. */
export function tlsOptions(test: TestServer, identity: ClientIdentity | undefined = test.admin): RequestOptions {
  return { ca: test.ca, ...(identity ? { cert: identity.certificate, key: identity.privateKey } : {}) };
}

/** One request as the admin, unless `as` says otherwise (undefined there: no certificate). */
export function call(test: TestServer, path: string, options: Call = {}): Promise<Answer> {
  const { method = 'GET', body, type = 'application/json', accept = 'application/json', headers = {} } = options;
  const identity = 'as' in options ? options.as : test.admin;
  const { ca } = test;
  const payload = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const length = payload ? { 'content-type': type, 'content-length': payload.length } : {};
  const tls = identity ? { ca, cert: identity.certificate, key: identity.privateKey } : { ca };
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      test.url + path,
      {
        ...tls,
        method,
        agent: false,
        headers: { accept, ...length, ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = String(response.headers['content-type']).startsWith('application/json');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            body: isJson && text ? tryParse(text) : undefined,
          });
        });
      },
    );
    request.on('error', reject);
    request.end(payload);
  });
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Server-side apply. */
export function apply(
  test: TestServer,
  path: string,
  object: unknown,
  manager = 'tester',
  force = false,
): Promise<Answer> {
  const query = `?fieldManager=${manager}${force ? '&force=true' : ''}`;
  return call(test, path + query, { method: 'PATCH', body: object, type: 'application/apply-patch+yaml' });
}

/** A directory with a kubeconfig of the admin. */
export async function writeKubeconfig(
  test: TestServer,
): Promise<{ directory: string; path: string; remove(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'meshctl-apiserver-'));
  const path = join(directory, 'kubeconfig');
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server: test.url, 'certificate-authority-data': base64(test.ca) } }],
    users: [
      {
        name: 'admin',
        user: {
          'client-certificate-data': base64(test.admin.certificate),
          'client-key-data': base64(test.admin.privateKey),
        },
      },
    ],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
  };
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return { directory, path, remove: () => rm(directory, { recursive: true, force: true }) };
}
