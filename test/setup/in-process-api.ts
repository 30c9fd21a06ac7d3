import { vi } from 'vitest';
import { exchangeInProcess, handlersOf, upgradeInProcess } from '../support/in-process-api.ts';

vi.mock('../../src/kube/http/send.ts', async (original) => {
  const real = await original<typeof import('../../src/kube/http/send.ts')>();
  const send: typeof real.send = (message, login, signal, notHttp) => {
    const handlers = handlersOf(message.url);
    return handlers ? exchangeInProcess(handlers, { ...message, signal }) : real.send(message, login, signal, notHttp);
  };
  return { ...real, send };
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
