import { vi } from 'vitest';

vi.mock('../../src/sandbox/cilium/etcd-stand-in.ts', async (original) => {
  const real = await original<typeof import('../../src/sandbox/cilium/etcd-stand-in.ts')>();
  const { startInProcess } = await import('../support/in-process-etcd.ts');
  const startEtcd: typeof real.startEtcd = (options) => startInProcess(real.startEtcd, options);
  return { ...real, startEtcd };
});

// What is forwarded to a pod comes by a socket: meshctl itself speaks TLS here too.
vi.mock('../../src/sandbox/pods/network.ts', async (original) => {
  const real = await original<typeof import('../../src/sandbox/pods/network.ts')>();
  const { dialInProcess } = await import('../support/in-process-etcd.ts');
  const { dialLoopback } = await import('../../src/sandbox/pods/loopback.ts');
  const connect: typeof dialLoopback = async (port) => (await dialInProcess(port)) ?? dialLoopback(port);
  const createVirtualNetwork: typeof real.createVirtualNetwork = (timeoutMs) =>
    real.createVirtualNetwork(timeoutMs, connect);
  return { ...real, createVirtualNetwork };
});

vi.mock('../../src/sandbox/cilium/etcd-session.ts', async (original) => {
  const real = await original<typeof import('../../src/sandbox/cilium/etcd-session.ts')>();
  const openEtcdSession: typeof real.openEtcdSession = async (socket, options) => {
    const { isInProcess, openInProcess } = await import('../support/in-process-etcd.ts');
    return isInProcess(socket) ? openInProcess(socket, options) : real.openEtcdSession(socket, options);
  };
  return { ...real, openEtcdSession };
});
