import { CONTAINERS } from '../apiserver/deployment.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { APISERVER } from '../objects/names.ts';
import { keptSettingsOf, settingName } from './kept-settings.ts';
import { type FieldChoices, isFieldAs, type LiveObjects } from './object-settings.ts';
import { optionName, settingWord } from './option-name.ts';
import { isAbout } from './setting-path.ts';
import { targetOf } from './setting-target.ts';
import type { EnableChoices } from './settings.ts';

/** A flag of this run, or a field of its file, with the field of an object that it is about, written as in plans. */
interface ChosenField {
  flag: string;
  kind: string;
  path: string;
}

/**
 * Refuses flags of this run that would do nothing, because a `--set` of an earlier run, or of this one, has their field.
 * @param rendered as the flags have it
 * @param again this run's command line with more words
 * @throws MeshctlError `Usage`, naming flags and settings
 */
export function refuseHiddenChoices(
  rendered: readonly KubeObject[],
  options: EnableChoices & FieldChoices & { image?: string | undefined },
  live: LiveObjects,
  again?: (...words: readonly string[]) => string,
): void {
  const { settings = [], unset = [] } = options;
  const set = settingWord(options);
  const dropped = new Set(unset.map((field) => settingName(targetOf(rendered, field, '--unset'), field.path)));
  const hidden = fieldsOf(options).flatMap(({ flag, kind, path }) => {
    const object = rendered.find((one) => one.kind === kind && one.metadata.name === APISERVER);
    if (!object) return [];
    const own = settings
      .filter((setting) => targetOf(rendered, setting, set) === object)
      .map((setting): [string, unknown, boolean] => [setting.path, setting.value, true]);
    const earlier = keptSettingsOf(live.of(object))
      .filter(([name]) => !dropped.has(settingName(object, name)) && !own.some(([of]) => of === name))
      .map(([name, value]): [string, unknown, boolean] => [name, value, false]);
    return [...earlier, ...own]
      .filter(([name, value]) => isAbout(name, path) && !isFieldAs(object, name, value))
      .map(([name, , isOwn]) => ({ flag, setting: settingName(object, name), isOwn }));
  });
  const [first] = hidden;
  if (!first) return;
  const inContext = (...words: readonly string[]) =>
    meshctlCommand('clustermesh enable', { context: live.context }, words);
  const flags = [...new Set(hidden.map(({ flag }) => flag))].join(' and ');
  const names = [...new Set(hidden.map(({ setting }) => setting))];
  const kept = [...new Set(hidden.filter(({ isOwn }) => !isOwn).map(({ setting }) => setting))];
  throw new MeshctlError(
    'Usage',
    `context "${live.context}": ${flags} would change nothing: ${names.map((name) => `${set} ${name}`).join(' and ')} has that field${kept.length > 0 ? ', of an earlier run' : ''}`,
    {
      hint:
        kept.length > 0
          ? `Undo it${again && !options.inFile ? ' in the same run' : ''}: ${(again ?? inContext)(...kept.flatMap((name) => ['--unset', name]))}`
          : 'Leave one of them out.',
      details: { context: live.context, settings: names },
    },
  );
}

const POD = 'spec.template.spec';

function fieldsOf(choices: EnableChoices & { image?: string | undefined }): ChosenField[] {
  const ofKind =
    (kind: string) =>
    (field: keyof typeof choices, path: string, flag?: string): ChosenField => ({
      flag: optionName(field, choices, flag),
      kind,
      path,
    });
  const [deployment, service] = [ofKind('Deployment'), ofKind('Service')];
  const given = (value: unknown, fields: () => ChosenField[]) => (value === undefined ? [] : fields());
  return [
    ...given(choices.replicas, () => [deployment('replicas', 'spec.replicas')]),
    ...given(choices.tolerations, () => [deployment('tolerations', `${POD}.tolerations`, '--toleration')]),
    ...given(choices.pullSecrets, () => [deployment('pullSecrets', `${POD}.imagePullSecrets`, '--pull-secret')]),
    ...given(choices.etcdStorage, () => [deployment('etcdStorage', `${POD}.volumes[etcd-data-dir].emptyDir.medium`)]),
    ...given(choices.image, () => CONTAINERS.map((name) => deployment('image', `${POD}.containers[${name}].image`))),
    ...Object.entries(choices.resources ?? {}).flatMap(([container, sides]) =>
      Object.entries(sides ?? {}).flatMap(([side, amounts]) =>
        Object.keys(amounts ?? {}).map((name) =>
          deployment('resources', `${POD}.containers[${container}].resources.${side}.${name}`),
        ),
      ),
    ),
    ...given(choices.serviceType, () => [service('serviceType', 'spec.type')]),
    ...given(choices.nodePort, () => [service('nodePort', 'spec.ports[2379/TCP].nodePort')]),
    ...given(choices.loadBalancerClass, () => [service('loadBalancerClass', 'spec.loadBalancerClass')]),
    ...given(choices.loadBalancerIp, () => [service('loadBalancerIp', 'spec.loadBalancerIP')]),
    ...given(choices.loadBalancerSourceRanges, () => [
      service('loadBalancerSourceRanges', 'spec.loadBalancerSourceRanges'),
    ]),
    ...given(choices.externalTrafficPolicy, () => [service('externalTrafficPolicy', 'spec.externalTrafficPolicy')]),
    ...Object.keys(choices.serviceAnnotations ?? {}).map((name) =>
      service('serviceAnnotations', `metadata.annotations.${name}`, '--service-annotation'),
    ),
  ];
}
