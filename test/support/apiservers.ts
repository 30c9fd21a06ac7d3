import type { ApiServerOptions } from '../../src/sandbox/apiserver/api.ts';
import { startTestServer, type TestServer } from './apiserver.ts';
import { KUBE_APISERVER, startRealServer } from './real-apiserver.ts';

/** A server that the contract of an API server is tried on. */
export interface ServerUnderTest {
  name: string;
  /** What only the sandbox has (its store, simulated pods, faults on demand) is skipped then. */
  isReal: boolean;
  /** Starts one; the options are for the sandbox. */
  start(options?: Partial<ApiServerOptions>): Promise<TestServer>;
}

/** The sandbox, and a real kube-apiserver where `MESHCTL_KUBE_APISERVER` names one: the same tests judge both. */
export const API_SERVERS: readonly ServerUnderTest[] = [
  { name: 'the sandbox', isReal: false, start: startTestServer },
  ...(KUBE_APISERVER === undefined ? [] : [{ name: 'kube-apiserver', isReal: true, start: startRealServer }]),
];
