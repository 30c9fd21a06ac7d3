import { expectTypeOf, it } from 'vitest';
import type { CONNECT } from '../../src/commands/clustermesh/connect/connect-spec.ts';
import type { ENABLE } from '../../src/commands/clustermesh/enable/enable-spec.ts';
import type { CommandSpec } from '../../src/commands/command-spec.ts';
import type { FlagsOf } from '../../src/commands/options/flags-of.ts';
import type { SERVICE_FAILOVER } from '../../src/commands/service/failover-spec.ts';
import type { SERVICE_GLOBAL } from '../../src/commands/service/global-spec.ts';

/** The compiler judges these; at run time nothing is left of them. */
const SPEC = {
  path: ['x'],
  summary: 'x',
  options: [
    { flags: '--plain', description: '' },
    { flags: '--off', description: '', default: false },
    { flags: '--no-way', description: '' },
    { flags: '-t, --two-words <text>', description: '' },
    { flags: '--must <text>', description: '', required: true },
    { flags: '--maybe [mode]', description: '', choices: ['a', 'b'] },
    { flags: '--count <n>', description: '', parse: Number, default: '1' },
    { flags: '--many <x>', description: '', repeatable: true },
  ],
  arguments: [
    { name: 'word', description: '' },
    { name: 'more', description: '', optional: true },
  ],
} as const satisfies CommandSpec;

it('types of flags are read off a spec', () => {
  expectTypeOf<FlagsOf<typeof SPEC>>().toEqualTypeOf<{
    plain?: boolean;
    off: boolean;
    way: boolean;
    twoWords?: string;
    must: string;
    maybe?: 'a' | 'b' | true;
    count: number;
    many?: string[];
    word: string;
    more?: string;
    verbose?: number;
    quiet?: boolean;
    color?: 'auto' | 'always' | 'never';
    debug?: boolean;
  }>();
});

it('those of the commands are what they are used as', () => {
  expectTypeOf<FlagsOf<typeof ENABLE>['keySize']>().toEqualTypeOf<'2048' | '3072' | '4096' | undefined>();
  expectTypeOf<FlagsOf<typeof ENABLE>['requestTimeout']>().toEqualTypeOf<number>();
  expectTypeOf<FlagsOf<typeof CONNECT>['rollback']>().toEqualTypeOf<boolean>();
  expectTypeOf<FlagsOf<typeof CONNECT>>().not.toHaveProperty('kubeconfigOut');
  // -n is the Services' there, Cilium's has another name.
  expectTypeOf<FlagsOf<typeof SERVICE_GLOBAL>>().toHaveProperty('ciliumNamespace');
  expectTypeOf<FlagsOf<typeof SERVICE_FAILOVER>['service']>().toEqualTypeOf<string | undefined>();
});
