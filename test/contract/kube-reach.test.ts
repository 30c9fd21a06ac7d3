import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { good, SECRET, secretNamed, useScriptedCluster } from '../support/kube-scripted.ts';
import { kubeconfigFor, makeServerIdentity, openClient, sendJson } from '../support/kube-server.ts';
import { startTcpServer } from '../support/tcp-server.ts';

const { closeLater, open, serve } = useScriptedCluster();

describe('ways to the server', () => {
  test('through an HTTP proxy', async () => {
    const server = await serve(good);
    const asked: string[] = [];
    const proxy = await listen((downstream) => {
      downstream.once('data', (head) => {
        asked.push(head.toString('latin1').split('\r\n')[0] ?? '');
        relay(downstream, server.port, 'HTTP/1.1 200 OK\r\n\r\n');
      });
    });
    const client = open(server.url, { cluster: { proxyUrl: `http://127.0.0.1:${proxy}` } });
    expect(await client.get(SECRET)).toBeDefined();
    expect(await client.get(SECRET)).toBeDefined();
    expect(asked).toEqual([`CONNECT 127.0.0.1:${server.port} HTTP/1.1`]);
  });

  test('through a SOCKS proxy', async () => {
    const server = await serve(good);
    const asked: string[] = [];
    const proxy = await listen((downstream) => {
      // RFC 1928: methods, then one request with an IPv4 address.
      downstream.once('data', () => {
        downstream.write(Buffer.of(5, 0));
        downstream.once('data', (request) => {
          asked.push(`${request.subarray(4, 8).join('.')}:${request.readUInt16BE(8)}`);
          relay(downstream, server.port, Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
        });
      });
    });
    const client = open(server.url, { cluster: { proxyUrl: `socks5://127.0.0.1:${proxy}` } });
    expect(await client.get(SECRET)).toBeDefined();
    expect(await client.get(SECRET)).toBeDefined();
    expect(asked).toEqual([`127.0.0.1:${server.port}`]);
  });

  test('over plain HTTP, as to kubectl proxy', async () => {
    const plain = http.createServer((_request, response) => sendJson(response, 200, secretNamed('cilium-ca')));
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    closeLater({ close: () => new Promise<void>((resolve) => plain.close(() => resolve())) });
    const client = open(`http://127.0.0.1:${(plain.address() as AddressInfo).port}`);
    expect(await client.get(SECRET)).toBeDefined();
    client.close();
  });

  test('tls-server-name is what the certificate is checked for', async () => {
    const server = await serve(good);
    await open(server.url, { cluster: { tlsServerName: 'localhost' } }).get(SECRET);
    const client = open(server.url, { cluster: { tlsServerName: 'other.test' } });
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining('its certificate is for other names'),
    });
  });

  test('insecure-skip-tls-verify trusts anybody', async () => {
    const server = await serve(good);
    const kubeconfig = kubeconfigFor(server.url, { cluster: { skipTLSVerify: true } });
    const client = openClient(kubeconfig);
    closeLater(client);
    expect(await client.get(SECRET)).toBeDefined();
  });
});

describe('a server that cannot be reached', () => {
  test('nobody listens', async () => {
    const server = await serve(good);
    await server.close();
    await expect(open(server.url).get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: `context "c1": cannot reach the API server ${server.url}: connection refused`,
      hint: 'Is the cluster up, and reachable from here? Try: kubectl --context c1 get ns',
      details: { context: 'c1', server: server.url },
    });
  });

  test('its CA is not the one of the kubeconfig', async () => {
    const other = await makeServerIdentity();
    const server = await serve(good, other);
    await expect(open(server.url).get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining('its certificate is from an unknown CA'),
    });
  });

  test('its certificate has expired', async () => {
    const old = await makeServerIdentity({ now: new Date(Date.now() - 864_000_000), validityMs: 1000 });
    const server = await serve(good, old);
    await expect(open(server.url, { ca: old.authority.certificate }).get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining('its certificate has expired'),
    });
  });

  test('it does not speak TLS', async () => {
    const port = await listen((socket) => socket.resume().end('HTTP/1.0 400 Bad Request\r\n\r\n'));
    const client = open(`https://127.0.0.1:${port}`);
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'ClusterUnreachable',
      message: expect.stringContaining('it does not speak TLS'),
    });
  });

  test('it is no API server', async () => {
    const server = await serve((_request, response) => response.end('<html>hello</html>'));
    await expect(open(server.url).get(SECRET)).rejects.toMatchObject({
      code: 'ApiFailure',
      message: expect.stringContaining('not JSON'),
    });
  });
});

/** A TCP server until the end of the test; gives its port. */
async function listen(onConnection: (socket: net.Socket) => void): Promise<number> {
  const server = await startTcpServer(onConnection);
  closeLater(server);
  return server.port;
}

/** Joins a proxied connection to a port, after an answer of the proxy. */
function relay(downstream: net.Socket, port: number, answer: string | Buffer): void {
  const upstream = net.connect(port, '127.0.0.1', () => downstream.write(answer));
  downstream.pipe(upstream).pipe(downstream);
  upstream.on('error', () => downstream.destroy());
}
