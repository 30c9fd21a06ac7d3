import { expect, it } from 'vitest';
import { noting } from '../../src/flows/noting.ts';
import { connectCommand, unnamedContext } from '../../src/mesh/command-line.ts';

it('what a run finds on its way has no gap in its next step, on stderr or in its document, and is said once', () => {
  const warned: string[] = [];
  const progress = {
    start: () => ({}) as never,
    warn: (text: string) => void warned.push(text),
    info: () => undefined,
  };
  const { flow, noted } = noting({ progress });
  for (let time = 0; time < 2; time++) flow.progress.warn(`b is lost → ${connectCommand('a', unnamedContext('b'))}`);
  const words = 'b is lost → Run "clustermesh connect --context a" with a --destination-context that leads to b.';
  expect([warned, noted()]).toEqual([[words], [words]]);
});
