import { vi } from 'vitest';
import { exchangeInProcess, handlersOf, upgradeInProcess } from '../support/in-process-api.ts';

vi.mock('../../src/kube/http/exchange.ts', async (original) => {
  const real = await original<typeof import('../../src/kube/http/exchange.ts')>();
  const { warningsIn } = await import('../../src/kube/http/http-answer.ts');
  const exchange: typeof real.exchange = async (to, request, login, signal) => {
    const url = new URL(to.server.replace(/\/+$/, '') + request.path);
    const handlers = handlersOf(url);
    if (!handlers) return real.exchange(to, request, login, signal);
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const headers = {
      'user-agent': to.userAgent,
      ...(body ? { 'content-type': request.contentType ?? 'application/json' } : {}),
      ...login.headers,
    };
    const answer = await exchangeInProcess(handlers, { url, method: request.method, headers, body, signal });
    for (const text of warningsIn(answer.headers.warning)) to.warn?.(text);
    return answer;
  };
  return { ...real, exchange };
});

vi.mock('../../src/kube/http/websocket-upgrade.ts', async (original) => {
  const real = await original<typeof import('../../src/kube/http/websocket-upgrade.ts')>();
  const upgrade: typeof real.upgrade = async (address, protocols, login, userAgent, signal) => {
    const url = new URL(address);
    const handlers = handlersOf(url);
    if (!handlers) return real.upgrade(address, protocols, login, userAgent, signal);
    const headers = {
      upgrade: 'websocket',
      'sec-websocket-protocol': protocols.join(', '),
      'user-agent': userAgent,
      ...login.headers,
    };
    return upgradeInProcess(handlers, { url, headers, signal });
  };
  return { ...real, upgrade };
});
