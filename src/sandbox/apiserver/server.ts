import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AccessRequest, ApiServer, ApiServerOptions } from './api.ts';
import { createAuthentication, forbidden, type Identity, impersonated, MASTERS } from './auth/authentication.ts';
import { refuseEscalation } from './auth/escalation.ts';
import { authorizeByRoles, rulesFor } from './auth/rbac.ts';
import { toApiError } from './errors.ts';
import { isObject } from './fields/json.ts';
import { dispatch, replyError, type ServedRequest, type Services } from './http/dispatch.ts';
import { readBody } from './http/request-body.ts';
import { parseTarget, type ResourceTarget, verbOf } from './http/request-target.ts';
import { createStore } from './storage/store.ts';
import { createUpgrades, refuseUpgrade } from './streams/upgrades.ts';

const KEEP_ALIVE_MS = 180_000;

function accessOf(identity: Identity, target: ResourceTarget | undefined, verb: string): AccessRequest {
  // A namespace is in itself: roles there may name it (apiserver's request info).
  const namespace = target?.resource.plural === 'namespaces' ? target.name : target?.namespace;
  return {
    user: identity.user,
    groups: identity.groups,
    verb,
    apiGroup: target?.resource.group ?? '',
    resource: target?.resource.plural ?? '',
    ...(target?.subresource === undefined ? {} : { subresource: target.subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(target?.name === undefined ? {} : { name: target.name }),
  };
}

/**
 * Starts a Kubernetes API server on a free port of 127.0.0.1, with an empty cluster or the given store. It checks client
 * certificates and tokens, serves the kinds of kinds.ts and of CustomResourceDefinitions, and forgets all when closed.
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const store = options.store ?? createStore();
  const { state } = store;
  const upgrades = createUpgrades();
  const sockets = new Set<Duplex>();
  const authenticate = createAuthentication(options);

  const decide = (access: AccessRequest): string | undefined => {
    if (access.groups.includes(MASTERS)) return undefined;
    return options.authorize ? options.authorize(access) : authorizeByRoles(store, access);
  };
  const check = (identity: Identity, access: AccessRequest): void => {
    const why = decide(access);
    if (why !== undefined) throw forbidden(identity, access, why);
  };
  const services: Services = {
    state,
    runtime: options.runtime,
    kubernetesVersion: options.kubernetesVersion,
    decide,
    rules: (identity, namespace) => {
      if (options.authorize || identity.groups.includes(MASTERS)) return undefined;
      return rulesFor(store, { ...identity, namespace });
    },
    require: (identity, target, verb) => check(identity, accessOf(identity, target, verb)),
    requireHeld: (identity, { resource }, object, before) =>
      refuseEscalation({ store, decide }, resource, identity, object, before),
  };

  const identify = (request: IncomingMessage): Identity => {
    const caller = authenticate(request);
    const wanted = impersonated(request);
    if (!wanted) return caller;
    check(caller, { ...caller, verb: 'impersonate', apiGroup: '', resource: 'users', name: wanted.user });
    for (const name of wanted.groups.filter((group) => group !== 'system:authenticated')) {
      check(caller, { ...caller, verb: 'impersonate', apiGroup: '', resource: 'groups', name });
    }
    return wanted;
  };

  /** Authenticates and authorizes. Undefined if a fault test wants the connection dropped. */
  const admit = async (
    request: IncomingMessage,
    response?: ServerResponse,
  ): Promise<Omit<ServedRequest, 'response'> | undefined> => {
    const url = new URL(request.url ?? '/', 'https://localhost');
    const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, '') : url.pathname;
    const method = request.method ?? 'GET';
    const identity = identify(request);
    const target = parseTarget(state.kinds, path);
    const verb = target ? verbOf(method, target, url.searchParams) : method.toLowerCase();
    const access = accessOf(identity, target, verb);
    // Of a deletion, its body tells.
    const body = options.intercept && method === 'DELETE' ? await readBody(request) : undefined;
    const dryRun = url.searchParams.has('dryRun') || (isObject(body?.value) && body.value.dryRun !== undefined);
    const fault = await options.intercept?.({ ...access, httpMethod: method, path, dryRun });
    if (fault === 'drop') return undefined;
    if (fault === 'drop-answer' && response) breakBeforeAnswer(request, response);
    if (target) check(identity, access);
    return { request, path, query: url.searchParams, identity, verb, target, body };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const admitted = await admit(request, response);
      if (admitted) await dispatch(services, { ...admitted, response });
      else request.socket.destroy();
    } catch (error) {
      // What is left of the body is not read: the connection cannot be used again.
      if (!request.complete) response.setHeader('connection', 'close');
      replyError(response, toApiError(error));
    }
  };

  const admitUpgrade = async (request: IncomingMessage): Promise<Omit<ServedRequest, 'response'> | undefined> => {
    const admitted = await admit(request);
    // A GET that runs something in a pod needs what a POST needs (Kubernetes 1.35).
    if (admitted?.target) services.require(admitted.identity, admitted.target, 'create');
    return admitted;
  };

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    socket.on('error', () => socket.destroy());
    try {
      const admitted = await admitUpgrade(request);
      if (admitted) upgrades.serve(state, options.runtime, admitted, { socket, head });
      else socket.destroy();
    } catch (error) {
      refuseUpgrade(socket, toApiError(error));
    }
  };

  const isProxied = options.proxiedAs !== undefined;
  const server = isProxied ? http.createServer() : https.createServer(tlsOf(options));
  // Idle connections live as long as with a real server, so that clients do not run into one that is just being closed.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const keep = (socket: Duplex): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  };
  server.on(isProxied ? 'connection' : 'secureConnection', keep);
  server.on('request', (request, response) => void serve(request, response));
  server.on('upgrade', (request, socket, head) => void upgrade(request, socket, head));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  return {
    url: `${isProxied ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    store,
    handlers: {
      isListening: () => server.listening,
      serve: (request, response) => {
        keep(request.socket);
        void serve(request, response);
      },
      open: async (request) => {
        const admitted = await admitUpgrade(request);
        return admitted && upgrades.accept(state, options.runtime, admitted);
      },
    },
    close: async () => {
      upgrades.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function tlsOf({ certificate, privateKey, clientCa }: ApiServerOptions): https.ServerOptions {
  return { cert: certificate, key: privateKey, ca: clientCa, requestCert: true, rejectUnauthorized: false };
}

/** Lets the request be served, and the connection break instead of an answer. */
function breakBeforeAnswer(request: IncomingMessage, response: ServerResponse): void {
  const end = () => {
    request.socket.destroy();
    return response;
  };
  Object.assign(response, { write: () => true, end });
}
