/** What krew asks of a plugin's manifest (krew 0.5.0: internal/index/validation, cmd/validate-krew-manifest). */
interface KrewManifest {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string };
  spec?: { version?: string; shortDescription?: string; platforms?: readonly KrewPlatform[] };
}

interface KrewPlatform {
  uri?: string;
  sha256?: string;
  bin?: string;
  files?: readonly { from?: string; to?: string }[];
  selector?: { matchLabels?: Record<string, string> };
}

/** Those that krew knows. */
const MACHINES = [
  ...['windows', 'linux', 'darwin'].flatMap((os) => ['386', 'amd64', 'arm64'].map((arch) => ({ os, arch }))),
  { os: 'linux', arch: 'arm' },
  { os: 'linux', arch: 'ppc64le' },
];

/** The fields with which krew finds fault; none where it accepts the manifest. @param name of the file, without `.yaml` */
export function krewFaults(name: string, { apiVersion, kind, metadata, spec = {} }: KrewManifest): string[] {
  const { version = '', shortDescription = '', platforms = [] } = spec;
  const rules: [field: string, holds: boolean][] = [
    ['apiVersion', apiVersion === 'krew.googlecontainertools.github.com/v1alpha2'],
    ['kind', kind === 'Plugin'],
    ['metadata.name', metadata?.name === name && /^[\w-]+$/.test(name)],
    ['spec.version', /^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[\w.-]+)?$/.test(version)],
    ['spec.shortDescription', shortDescription !== '' && !/[\r\n]/.test(shortDescription)],
    ['spec.platforms', platforms.length > 0],
    ...platforms.flatMap((platform, index) => platformRules(platform, index, platforms)),
  ];
  return rules.flatMap(([field, holds]) => (holds ? [] : [field]));
}

function platformRules(
  { uri, sha256 = '', bin, files, selector }: KrewPlatform,
  index: number,
  all: readonly KrewPlatform[],
): [field: string, holds: boolean][] {
  const at = (field: string) => `spec.platforms[${index}].${field}`;
  const labels = selector?.matchLabels ?? {};
  const known = Object.keys(labels).length > 0 && Object.keys(labels).every((key) => key === 'os' || key === 'arch');
  const machines = MACHINES.filter((machine) => fits(machine, labels));
  const earlier = all.slice(0, index);
  const alone = machines.every((machine) => !earlier.some((other) => fits(machine, other.selector?.matchLabels ?? {})));
  return [
    [at('uri'), Boolean(uri)],
    [at('sha256'), /^[a-f0-9]{64}$/.test(sha256)],
    [at('bin'), Boolean(bin)],
    [at('files'), files === undefined || (files.length > 0 && files.every(({ from, to }) => from && to))],
    [at('selector'), known && machines.length > 0 && alone],
  ];
}

function fits(machine: { os: string; arch: string }, labels: Record<string, string>): boolean {
  return Object.entries(labels).every(([key, value]) => machine[key as 'os' | 'arch'] === value);
}
