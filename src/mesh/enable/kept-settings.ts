import { meshctlCommand } from '../command-line.ts';
import { describeRef, type KubeObject, refOf } from '../objects/kube-object.ts';
import { forceWords } from '../objects/ownership.ts';
import { isRecord } from '../record.ts';
import { isAbout } from './setting-path.ts';

/** Where an object keeps the settings that it was made with, so that a later run without them does not undo them. */
export const SETTINGS_ANNOTATION = 'meshctl.io/set';

/** The settings that an object was made with: path and value, in the order in which they were given. */
export function keptSettingsOf(object: KubeObject | undefined): [path: string, value: unknown][] {
  const text = object?.metadata.annotations?.[SETTINGS_ANNOTATION];
  return Object.entries((text === undefined ? undefined : settingsIn(text)) ?? {});
}

/** Undefined where a text is no JSON object. */
function settingsIn(text: string): Record<string, unknown> | undefined {
  try {
    const settings: unknown = JSON.parse(text);
    return isRecord(settings) ? settings : undefined;
  } catch {
    return undefined;
  }
}

/** That what an object has instead of its settings cannot be read, as a clause; undefined where it can, or there is none. */
export function unreadSettings(object: KubeObject): string | undefined {
  const text = object.metadata.annotations?.[SETTINGS_ANNOTATION];
  if (text === undefined || settingsIn(text)) return undefined;
  return `the settings of ${describeRef(refOf(object))} (${SETTINGS_ANNOTATION}) cannot be read and are passed over, so give again (--set) what you want of this: ${text}`;
}

/** A setting as `--set` and `--unset` name it: `Deployment/clustermesh-apiserver:spec.replicas`. */
export function settingName({ kind, metadata }: KubeObject, path: string): string {
  return `${kind}/${metadata.name}:${path}`;
}

/** The settings of an object that are about a field of it, as {@link settingName} has them. */
export function settingsAbout(object: KubeObject | undefined, changed: string): string[] {
  if (!object) return [];
  const paths = keptSettingsOf(object).map(([path]) => path);
  return paths.filter((path) => isAbout(path, changed)).map((path) => settingName(object, path));
}

/** The command that takes settings back. @param more further words */
export function unsetCommand(context: string, settings: readonly string[], more: readonly string[] = []): string {
  const words = settings.flatMap((setting) => ['--unset', setting]);
  return meshctlCommand('clustermesh enable', { context }, [...words, ...more]);
}

/**
 * The command that takes back the settings by which a field of a live object is as it is, whoever has set it since.
 * Undefined where none is about it.
 */
export function takeBackCommand(context: string, live: KubeObject, path: string): string | undefined {
  const settings = settingsAbout(live, path);
  if (settings.length === 0) return undefined;
  return unsetCommand(context, settings, forceWords(live, [path]));
}
