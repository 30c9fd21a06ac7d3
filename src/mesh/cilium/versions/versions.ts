import { MeshctlError } from '../../errors.ts';

/** A Cilium version as in an image tag: `v1.20.0`, `v1.21.0-pre.0`, `v1.18.2-cee.1`. */
export interface CiliumVersion {
  major: number;
  minor: number;
  patch: number;
  /** What follows the numbers, without its hyphen: `rc.1`, `cee.1`; empty for a release. */
  suffix: string;
}

/** A program's version, as far as it can be told, and what it was started from. */
export interface ProgramVersion {
  /** `1.20.0`; absent where neither the image's tag nor the program tells it. */
  version?: string | undefined;
  image: string;
}

/** With how many pods have it. */
export interface RunningVersion extends ProgramVersion {
  pods: number;
  /** A few of them, as `cilium-x2v4q on node-1`; of agents only. */
  on?: readonly string[] | undefined;
}

/** A container image reference taken apart. */
export interface ImageReference {
  /** Registry and path: `quay.io/cilium/cilium`, `registry.example:5000/mirror/cilium`. */
  repository: string;
  tag?: string | undefined;
  /** `sha256:…`. */
  digest?: string | undefined;
}

/** The oldest Cilium whose clustermesh-apiserver meshctl can deploy. */
export const OLDEST_SUPPORTED: CiliumVersion = { major: 1, minor: 16, patch: 0, suffix: '' };
/** The newest minor that the templates were compared with; later ones get its objects. */
export const NEWEST_KNOWN: CiliumVersion = { major: 1, minor: 21, patch: 0, suffix: '' };

const VERSION = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]+))?$/;
/** Cilium's own pre-releases. Any other suffix is a vendor's build of that very release. */
const PRE_RELEASE = /^(pre|rc)\.(\d{1,9})$/;

/** Reads `1.20.0` or `v1.20.0`, with any suffix; undefined when it is something else, e.g. `latest`. */
export function parseVersion(text: string): CiliumVersion | undefined {
  const [, major, minor, patch, suffix = ''] = VERSION.exec(text) ?? [];
  if (major === undefined) return undefined;
  return { major: Number(major), minor: Number(minor), patch: Number(patch), suffix };
}

/** `1.20.0`, `1.21.0-pre.0`; as in an image tag, but without the `v`. */
export function formatVersion(version: CiliumVersion): string {
  const numbers = `${version.major}.${version.minor}.${version.patch}`;
  return version.suffix === '' ? numbers : `${numbers}-${version.suffix}`;
}

/** `1.20`. */
export function minorOf(version: CiliumVersion): string {
  return `${version.major}.${version.minor}`;
}

/**
 * Orders versions: negative when `a` is older, 0 when they are the same release. `pre.N` come before `rc.N`, both before
 * the release; a vendor's suffix (`cee.1`) does not count.
 */
export function compareVersions(a: CiliumVersion, b: CiliumVersion): number {
  return compareMinors(a, b) || a.patch - b.patch || preReleaseRank(a) - preReleaseRank(b);
}

/** Orders versions by major and minor number only. */
export function compareMinors(a: CiliumVersion, b: CiliumVersion): number {
  return a.major - b.major || a.minor - b.minor;
}

/** Whether two minors are the same or consecutive: Cilium is tested between such only (its upgrade guide). */
export function atMostOneMinorApart(a: CiliumVersion, b: CiliumVersion): boolean {
  return a.major === b.major && Math.abs(a.minor - b.minor) <= 1;
}

/** Whether a Cilium has what came with a version. One that is not known is taken to: nothing is decided as if it were an old one. */
export function isSince(version: CiliumVersion | undefined, since: CiliumVersion): boolean {
  return version === undefined || compareMinors(version, since) >= 0;
}

/** Of pre.0, pre.1, …, rc.0, rc.1, …, release: pre.N count up from 0, rc.N from a thousand on. */
function preReleaseRank({ suffix }: CiliumVersion): number {
  const [, phase, number] = PRE_RELEASE.exec(suffix) ?? [];
  if (phase === undefined) return Number.MAX_SAFE_INTEGER;
  return Number(number) + (phase === 'rc' ? 1000 : 0);
}

/** Takes an image reference apart. A registry's port is not a tag. */
export function parseImage(image: string): ImageReference {
  const [name = '', digest] = image.split('@', 2);
  const colon = name.lastIndexOf(':');
  const tagged = colon > name.lastIndexOf('/');
  return {
    repository: tagged ? name.slice(0, colon) : name,
    tag: tagged ? name.slice(colon + 1) : undefined,
    digest,
  };
}

/** The version in an agent's image tag; undefined when it has none (digest only, `latest`, a commit). */
export function versionOfImage(image: string): CiliumVersion | undefined {
  const { tag } = parseImage(image);
  return tag === undefined ? undefined : parseVersion(tag);
}

/**
 * The version of a cluster's agents: by their image, or where that tells none (a digest, `latest`, a tag of one's own) as one of them
 * has told. Undefined where neither does: then it may be any, and nothing is to be decided as if it were an old one.
 */
export function versionOfAgents(
  agent: { image: string; version?: CiliumVersion | undefined } | undefined,
): CiliumVersion | undefined {
  return agent && (versionOfImage(agent.image) ?? agent.version);
}

/**
 * The clustermesh-apiserver image that belongs to an agent's image: the same registry, path and tag, without the digest,
 * which is that of the agent. What is around the name stays: `cilium-ci` goes with `clustermesh-apiserver-ci`, and Rancher's
 * `mirrored-cilium-cilium` with `mirrored-cilium-clustermesh-apiserver`. Undefined when the name is not Cilium's, or there is neither a tag nor a version, so that nothing tells what to run.
 * @param version for an image without a tag: what the operator says that it is
 */
export function apiserverImageFor(agentImage: string, version?: CiliumVersion): string | undefined {
  const { repository, tag = version && `v${formatVersion(version)}` } = parseImage(agentImage);
  const slash = repository.lastIndexOf('/') + 1;
  const name = repository.slice(slash);
  // Mirrors without folders put those of the original before its name: quay.io/cilium/cilium.
  const [, mirrored = '', suffix] = /^((?:.*-)?cilium-)?cilium(-.*)?$/.exec(name) ?? [];
  if (tag === undefined || !/^((?:.*-)?cilium-)?cilium(-.*)?$/.test(name)) return undefined;
  return `${repository.slice(0, slash)}${mirrored}clustermesh-apiserver${suffix ?? ''}:${tag}`;
}

/**
 * Checks that meshctl can deploy Cluster Mesh for this version, and tells whether it is newer than all that the templates
 * were compared with (then the newest ones are used, and the operator should be told). Throws `CiliumUnsupported` for
 * versions before 1.16. `subject` opens the message, e.g. `context "prod": `.
 */
export function checkSupported(version: CiliumVersion, subject = ''): { untested: boolean } {
  if (compareVersions(version, OLDEST_SUPPORTED) < 0) {
    throw new MeshctlError(
      'CiliumUnsupported',
      `${subject}Cilium ${formatVersion(version)} is older than meshctl supports (${supportedRange()})`,
      { hint: `Upgrade Cilium to ${minorOf(OLDEST_SUPPORTED)} or later.` },
    );
  }
  return { untested: compareMinors(version, NEWEST_KNOWN) > 0 };
}

/** `1.16 to 1.21`. */
export function supportedRange(): string {
  return `${minorOf(OLDEST_SUPPORTED)} to ${minorOf(NEWEST_KNOWN)}`;
}

/** Those whose version is known, with it. */
export function withKnownVersion(programs: readonly ProgramVersion[]): { image: string; version: CiliumVersion }[] {
  return programs.flatMap(({ image, version = '' }) => {
    const parsed = parseVersion(version);
    return parsed ? [{ image, version: parsed }] : [];
  });
}
