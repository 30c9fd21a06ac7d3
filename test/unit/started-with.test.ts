import { expect, it } from 'vitest';
import { numberOf, startedWithCommand, startedWithIn } from '../../src/flows/status/started-with.ts';

it('asks for all files at once, and knows which of them there are by what is printed', () => {
  const command = startedWithCommand(['cluster-name', 'cluster-id', 'tunnel-port']);
  expect(command.slice(0, 3)).toEqual(['grep', '-sH', '']);
  const [name = '', id = ''] = command.slice(3);
  expect(startedWithIn(`${name}:mesh-1\n${id}:7\nno such file\n`)).toEqual({
    'cluster-name': 'mesh-1',
    'cluster-id': '7',
  });
  expect(startedWithIn(`${name}:a:b\n`)).toEqual({ 'cluster-name': 'a:b' });
  expect(startedWithIn('')).toEqual({});
});

it.each([
  ['7', 7],
  [' 7 ', 7],
  ['x', undefined],
  ['', undefined],
  [undefined, undefined],
])('the number %j is %j', (text, wanted) => {
  expect(numberOf(text)).toBe(wanted);
});
