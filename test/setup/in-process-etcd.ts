import { vi } from 'vitest';

vi.mock('../../src/sandbox/cilium/etcd-stand-in.ts', async (original) => {
  const real = await original<typeof import('../../src/sandbox/cilium/etcd-stand-in.ts')>();
  const { startInProcess } = await import('../support/in-process-etcd.ts');
  const startEtcd: typeof real.startEtcd = (options) => startInProcess(real.startEtcd, options);
  return { ...real, startEtcd };
});

// What is forwarded to a pod comes by a socket: meshctl itself may have to speak TLS.
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

// meshctl's own connections lead through an API server. What both ends of such a WebSocket belong to is noted, and looked up here.
vi.mock('../../src/sandbox/apiserver/streams/port-forward.ts', async (original) => {
  const real = await original<typeof import('../../src/sandbox/apiserver/streams/port-forward.ts')>();
  const { noteForwarded } = await import('../support/in-process-etcd.ts');
  const { otherEndOf } = await import('../support/in-process-api.ts');
  const forwardPorts: typeof real.forwardPorts = (runtime, place, ports, socket) => {
    const client = otherEndOf(socket);
    const portForward: typeof runtime.portForward = (...pod) => {
      const connecting = runtime.portForward(...pod);
      if (client) noteForwarded(client, connecting);
      return connecting;
    };
    real.forwardPorts({ ...runtime, portForward }, place, ports, socket);
  };
  return { ...real, forwardPorts };
});

vi.mock('../../src/kube/port-forward.ts', async (original) => {
  const real = await original<typeof import('../../src/kube/port-forward.ts')>();
  const { forwardedTo, noteForwarded } = await import('../support/in-process-etcd.ts');
  const forwardPort: typeof real.forwardPort = async (transport, at, options) => {
    let leads: ReturnType<typeof forwardedTo>;
    const openWebSocket: typeof transport.openWebSocket = async (...request) => {
      const socket = await transport.openWebSocket(...request);
      leads = forwardedTo(socket);
      return socket;
    };
    const stream = await real.forwardPort({ ...transport, openWebSocket }, at, options);
    noteForwarded(stream, leads);
    return stream;
  };
  return { ...real, forwardPort };
});

vi.mock('../../src/etcd/handshake.ts', async (original) => {
  const real = await original<typeof import('../../src/etcd/handshake.ts')>();
  const { shakeHandsInProcess } = await import('../support/in-process-etcd.ts');
  const shakeHands: typeof real.shakeHands = async (read) => (await shakeHandsInProcess(read)) ?? real.shakeHands(read);
  return { ...real, shakeHands };
});

vi.mock('../../src/etcd/grpc-call.ts', async (original) => {
  const real = await original<typeof import('../../src/etcd/grpc-call.ts')>();
  const { callInProcess } = await import('../support/in-process-etcd.ts');
  const call: typeof real.call = (...request) => callInProcess(...request) ?? real.call(...request);
  return { ...real, call };
});
