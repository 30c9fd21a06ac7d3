import { joinCertificates } from '../../mesh/certificates/pem.ts';
import type { Direction } from '../../mesh/connect/direction.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { ADMIN_CERT_SECRET, SERVER_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretTexts } from '../../mesh/objects/secret-data.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { askedServers, isAsked } from '../../mesh/rotation/asked-servers.ts';
import { certificatesFrom, type RotatedCertificate } from '../../mesh/rotation/rotated-certificates.ts';
import { readCertificate } from '../../pki/read.ts';
import type { ClientCertificate } from '../etcd/open-etcd.ts';
import type { Proof } from '../etcd/prove.ts';
import { certificateIn, type ReadyWrites, readyWrite, textsAfter } from '../write/issued-writes.ts';

/** Those that are about to be handed out. */
export function proofsAfter(members: readonly Member[], steps: readonly Step[], ready: ReadyWrites): Proof[] {
  return members.flatMap((server) =>
    certificatesFrom(server, members).flatMap((one): Proof[] => {
      const { snapshot } = one.holder;
      const step = steps.find(({ cluster, object }) => cluster === snapshot.context && object.name === one.secret);
      const handedOut =
        step?.write?.method === 'issue' ? [...step.write.certificates, ...(step.write.copies ?? [])] : [];
      if (!step || !handedOut.some(({ keys }) => keys.ca === one.keys.ca)) return [];
      const texts = textsAfter(step.before, readyWrite(ready, step));
      return [proofOf(server, one, trustingAlone(server, certificateIn(texts, one.keys)))];
    }),
  );
}

/**
 * That each cluster whose own certificates were just written shows them, and takes them: a new server certificate, by the CA that
 * signed it alone, to each new one of its own programs; where none of those is new, to the present one.
 * @param steps those that were written
 */
export function proofsOfServers(members: readonly Member[], steps: readonly Step[], ready: ReadyWrites): Proof[] {
  const servers = askedServers(steps);
  return members.flatMap((server) => {
    const { context } = server.snapshot;
    if (!isAsked(server.snapshot, servers)) return [];
    const own = certificatesFrom(server, members).flatMap((one) => {
      if (one.peer !== undefined) return [];
      const step = steps.find(({ cluster, object }) => cluster === context && object.name === one.secret);
      if (step?.write?.method !== 'issue') return [{ one, isNew: false, credential: credentialIn(one) }];
      return [
        { one, isNew: true, credential: certificateIn(textsAfter(step.before, readyWrite(ready, step)), one.keys) },
      ];
    });
    const shown = own.find(({ one, isNew }) => isNew && one.secret === SERVER_CERT_SECRET);
    const clients = own.filter(({ one }) => one.secret !== SERVER_CERT_SECRET);
    const news = clients.filter(({ isNew }) => isNew);
    const logins = news.length > 0 ? news : clients.filter(({ one }) => one.secret === ADMIN_CERT_SECRET);
    return logins.map(
      ({ one, isNew, credential }): Proof => ({
        ...proofOf(server, one, shown ? trustingAlone(server, credential) : credential),
        ofServer: {
          shows: shown && readCertificate(shown.credential.certificate).sha256,
          byOldLogin: !isNew,
        },
      }),
    );
  });
}

/** Those that peers have. */
export function proofsOf(members: readonly Member[]): Proof[] {
  return members.flatMap((server) =>
    certificatesFrom(server, members)
      .filter(({ peer }) => peer !== undefined)
      .map((one) => proofOf(server, one, trustingAlone(server, credentialIn(one)))),
  );
}

/** With which the server has to show a certificate of the CA that it has now. */
function trustingAlone({ snapshot }: Member, credential: ClientCertificate): ClientCertificate {
  return { ...credential, ca: joinCertificates([snapshot.ca?.certificatePem ?? '']) };
}

/** That a certificate lets its holder in to a server. */
export function proofOf(server: Member, { holder, spec }: RotatedCertificate, certificate: ClientCertificate): Proof {
  const direction: Direction = {
    client: holder,
    server,
    credential: { kind: 'per-peer', user: spec.commonName, warnings: [] },
    endpoint: { addresses: [] },
    marks: {},
  };
  return { direction, certificate };
}

/** A certificate with its key, as it is in its Secret. */
export function credentialIn({ holder, secret, keys }: RotatedCertificate): ClientCertificate {
  const { objects, namespace } = holder.snapshot;
  return certificateIn(secretTexts(objects.get(keyOf(secretRef(namespace, secret)))), keys);
}
