import { describe, expect, it } from 'vitest';
import { remembered } from '../../src/mesh/remembered.ts';

describe('remembered', () => {
  it('works once for what it was given lately', () => {
    const worked: string[] = [];
    const length = remembered((text: string) => worked.push(text) && text.length, 2);
    expect(['a', 'bb', 'a', 'bb'].map(length)).toEqual([1, 2, 1, 2]);
    expect(worked).toEqual(['a', 'bb']);
    length('ccc');
    length('a');
    expect(worked, 'the oldest goes').toEqual(['a', 'bb', 'ccc', 'a']);
  });

  it('knows an input by what it is told to', () => {
    const worked: string[] = [];
    const read = remembered(
      ({ text }: { text: string }) => void worked.push(text),
      2,
      ({ text }) => text,
    );
    read({ text: 'a' });
    read({ text: 'a' });
    expect(worked, 'also where the answer is undefined').toEqual(['a']);
  });

  it('does not remember what it threw', () => {
    let fails = true;
    const read = remembered((text: string) => {
      if (fails) throw new Error('no');
      return text;
    }, 2);
    expect(() => read('a')).toThrow('no');
    fails = false;
    expect(read('a')).toBe('a');
  });
});
