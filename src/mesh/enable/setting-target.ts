import { MeshctlError } from '../errors.ts';
import { byNearness, probablyMeant } from '../nearest.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { REMOTE_USERS_CONFIGMAP } from '../objects/names.ts';
import { PEER_SECRETS } from '../peers/peers.ts';
import { settingName } from './kept-settings.ts';

/** A field of a rendered object. */
export interface ObjectField {
  kind: string;
  /** Absent: the only object of that kind. */
  name?: string | undefined;
  path: string;
}

/**
 * The object that a flag is about.
 * @param flag `--set`, in a file `set`, or `--unset`
 * @throws MeshctlError `Usage` for one that is not rendered, for one of several, and for what another command fills
 */
export function targetOf(objects: readonly KubeObject[], { kind, name, path }: ObjectField, flag: string): KubeObject {
  const candidates = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  const [only, ...others] = candidates;
  if (only && others.length === 0) {
    const filler = fillerOf(only);
    if (!filler) return only;
    throw new MeshctlError('Usage', `${flag} ${settingName(only, path)}: ${filler.says}`, { hint: filler.hint });
  }
  const named = `${flag} ${kind}${name === undefined ? '' : `/${name}`}:${path}`;
  if (only) {
    const names = candidates.map((object) => settingName(object, path));
    throw new MeshctlError('Usage', `${named}: there are several ${kind} objects`, {
      hint: `Name one of ${names.join(', ')}.`,
    });
  }
  throw new MeshctlError('Usage', `${named}: there is no such object`, {
    hint: nearestOf(objects, name === undefined ? kind : `${kind}/${name}`),
  });
}

function nearestOf(objects: readonly KubeObject[], wanted: string): string {
  const settable = objects.filter((object) => !fillerOf(object));
  const names = settable.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  const kinds = [...new Set(settable.map(({ kind }) => kind))];
  const meant = probablyMeant(wanted, wanted.includes('/') ? names : kinds);
  return meant === undefined ? `There are ${byNearness(wanted, names).join(', ')}.` : `Did you mean ${meant}?`;
}

/** Who writes what is in an object, where enable makes it only once, or makes it from something else. */
function fillerOf({ kind, type, metadata: { name } }: KubeObject): { says: string; hint: string } | undefined {
  if (kind === 'ConfigMap' && name === REMOTE_USERS_CONFIGMAP) {
    return {
      says: 'connect and disconnect write the users, and enable leaves them as they are',
      hint: 'A peer is let in by connect, and shut out by disconnect.',
    };
  }
  if (kind !== 'Secret') return undefined;
  if (PEER_SECRETS.some((secret) => secret === name)) {
    return {
      says: 'connect and disconnect write the files of peers, and enable leaves them as they are',
      hint: 'How a peer is dialled is chosen by the flags of connect, or by endpoints and credentials in a mesh file.',
    };
  }
  if (type !== 'kubernetes.io/tls') return undefined;
  return {
    says: 'enable issues this certificate, and certs rotate renews it',
    hint: 'Its CA, validity and key size are chosen by flags (--ca-cert and --ca-key, --cert-validity, --key-size), or by caFrom, certValidity and keySize in a mesh file.',
  };
}
