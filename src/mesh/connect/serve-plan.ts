import { isIpAddress } from '../apiserver/endpoints.ts';
import { acceptedBeside, coversHost, reasonToReissue } from '../certificates/cluster-certificates.ts';
import { presentLifetime, validityMarks } from '../certificates/kept-lifetime.ts';
import { keyOf } from '../objects/kube-object.ts';
import {
  configMapRef,
  REMOTE_ROLE,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  SHARED_USER,
  secretRef,
  serviceHostname,
} from '../objects/names.ts';
import { emptySecret } from '../objects/secret-data.ts';
import { groupBy } from '../pairs.ts';
import { ownerClause } from '../peers/foreign-homes.ts';
import { addUsersEdit, rollbackAddUsers } from '../peers/users/remote-users.ts';
import { markChanges } from '../plan/diff.ts';
import { type Plan, type Step, TLS_KEYS } from '../plan/plan.ts';
import { describeLifetime, endWithCa } from '../rotation/lifetime.ts';
import { canSign, managesUsers } from './credentials.ts';
import { type Direction, dialledHosts } from './direction.ts';
import type { Member } from './member.ts';

/**
 * What each serving cluster needs before anyone may dial it: its certificate to cover its addresses, and a user for each
 * peer. One step per object, however many peers.
 */
export function planServe(directions: readonly Direction[], now: Date): Plan {
  const steps = [...groupBy(directions, ({ server }) => server)].flatMap(([server, incoming]) => [
    ...serverCertificateSteps(server, incoming, now),
    ...remoteUserSteps(server, incoming),
  ]);
  return { steps };
}

function serverCertificateSteps(server: Member, incoming: readonly Direction[], now: Date): Step[] {
  const { snapshot } = server;
  const present = snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  if (!present || !snapshot.ca || !canSign(server)) return [];
  const hosts = [...new Set(incoming.flatMap(dialledHosts))];
  const ref = secretRef(snapshot.namespace, SERVER_CERT_SECRET);
  const base = { cluster: snapshot.context, object: ref, before: snapshot.objects.get(keyOf(ref)) };
  const { commonName, usages, dnsNames, ipAddresses } = present.certificate;
  // By its Service's name this cluster's own agents dial it, and the proof. What a wildcard covers, as that of Cilium's chart
  // does the names of peers, needs no certificate of its own.
  const needed = new Set([serviceHostname(snapshot.namespace), ...hosts]);
  const lacking = [...needed].filter((host) => !coversHost(present.certificate, host));
  const spec = {
    commonName,
    // Whatever it was for: a new one is to serve.
    usages: [...new Set([...usages, 'server' as const])],
    dnsNames: [...dnsNames, ...lacking.filter((host) => !isIpAddress(host))],
    ipAddresses: [...ipAddresses, ...lacking.filter(isIpAddress)],
  };
  const reason = reasonToReissue(present, spec, snapshot.ca.certificate, now, acceptedBeside(snapshot));
  if (!reason) return [{ ...base, action: 'keep', changes: [], why: `it covers ${hosts.join(', ')}` }];
  const lifetime = presentLifetime(snapshot);
  const caEnd = endWithCa(lifetime.validityMs, snapshot.ca.certificate, now);
  const words = describeLifetime(lifetime, lifetime, caEnd);
  const marks = validityMarks(lifetime, caEnd, base.before);
  return [
    {
      ...base,
      action: 'update',
      changes: [
        {
          path: 'data.tls.crt',
          to: `certificate ${commonName}${words ? ` (${words})` : ''} for ${hosts.join(', ')}`,
        },
        ...markChanges(base.before, marks.marks ?? {}),
      ],
      why: reason,
      write: {
        method: 'issue',
        certificates: [{ spec, signer: snapshot.context, keys: TLS_KEYS, ...lifetime }],
        data: {},
        ...marks,
        secret: emptySecret(ref, 'kubernetes.io/tls'),
        // For the certificate that was read alone: another run's may hold names that are not in this one.
        into: 'exact',
      },
    },
  ];
}

/** The users of their own by which clients log in, each once. */
export function ownUsersOf(incoming: readonly Direction[]): Set<string> {
  return new Set(incoming.map(({ credential }) => credential.user).filter((user) => user !== SHARED_USER));
}

function remoteUserSteps({ snapshot }: Member, incoming: readonly Direction[]): Step[] {
  const users = ownUsersOf(incoming);
  if (users.size === 0 || !managesUsers(snapshot)) return [];
  const wanted = [...users].sort();
  const ref = configMapRef(snapshot.namespace, REMOTE_USERS_CONFIGMAP);
  const before = snapshot.objects.get(keyOf(ref));
  const present = snapshot.remoteUsers ?? [];
  const missing = wanted.filter((user) => !present.some(({ name, role }) => name === user && role === REMOTE_ROLE));
  const base = { cluster: snapshot.context, object: ref, before };
  if (missing.length === 0) return [{ ...base, action: 'keep', changes: [], why: `it has ${wanted.join(', ')}` }];
  return [
    {
      ...base,
      action: 'update',
      changes: missing.map((name) => ({ path: `data.users.yaml[${name}]`, to: { name, role: REMOTE_ROLE } })),
      why: `lets ${missing.join(', ')} in${ownerClause(before)}`,
      whyOfMany: `lets peers in${ownerClause(before)}`,
      write: { method: 'edit', edit: addUsersEdit(missing), rollback: rollbackAddUsers(missing) },
    },
  ];
}
