import { PEM_BEGINS, PEM_ENDS, withoutSecretWords } from '../../secret-words.ts';

/** Under these Helm prints what it makes and is given, private keys too (status.go; with --dry-run, --debug or HELM_DEBUG). */
const OBJECTS = /^(?:USER-SUPPLIED VALUES|COMPUTED VALUES|HOOKS|MANIFEST):/;
/** Helm's stderr may come in between. */
const TROUBLE = /^(?:Error|WARNING): /;

/**
 * Picks out of Helm's output, line by line, what it says: no objects and no values of the chart, among which are the CA's key
 * and those of all certificates, and no word that may be one.
 * @returns a function of the next line, which gives what to show of it, and undefined for nothing
 */
export function helmWords(): (line: string) => string | undefined {
  let isObjects = false;
  let isPem = false;
  return (line) => {
    if (isPem) {
      isPem = !PEM_ENDS.test(line);
      return undefined;
    }
    isPem = PEM_BEGINS.test(line) && !PEM_ENDS.test(line);
    if (OBJECTS.test(line)) {
      const wasObjects = isObjects;
      isObjects = true;
      return wasObjects ? undefined : '(its values and objects are not shown: private keys are among them)';
    }
    if (line.startsWith('NOTES:')) isObjects = false;
    return isObjects && !TROUBLE.test(line) ? undefined : withoutSecretWords(line);
  };
}
