import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Verdict } from '../../policies/action.ts';
import { decide } from '../../policies/decide.ts';
import { applyPreset } from '../../policies/presets.ts';
import type { Preset } from '../../policies/presets.ts';
import { readShipped, workspace } from './cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const policy = await readShipped();
const judge = (preset: Preset, command: string) =>
  decide(
    applyPreset(policy, preset),
    builtIn.toAction({ tool: 'run_command', args: { command }, workspace }),
  );

suite('presets', () => {
  const rows: [command: string, strict: Verdict, standard: Verdict, trusting: Verdict][] = [
    ['ls -la', 'allow', 'allow', 'allow'],
    ['ls src/*.ts', 'deny', 'ask', 'allow'],
    ['for f in a b; do wc -l $f; done', 'deny', 'ask', 'allow'],
    ['for f in a b; do ./build.sh $f; done', 'deny', 'deny', 'allow'],
    ['bash scripts/a.sh', 'deny', 'deny', 'allow'],
    ['./gradlew test', 'deny', 'deny', 'allow'],
    ["sed -i 's/a/b/' src/a.ts", 'deny', 'deny', 'allow'],
    ['rm -rf src', 'deny', 'deny', 'allow'],
    ['OUT=x ./build.sh', 'deny', 'deny', 'allow'],
    ['git checkout -b work', 'ask', 'ask', 'ask'],
    ['git checkout -b "$name"', 'deny', 'ask', 'ask'],
    ['git push', 'deny', 'deny', 'deny'],
    ['if true; then git push; fi', 'deny', 'deny', 'deny'],
    ['for f in a; do cat .env; done', 'deny', 'deny', 'deny'],
    ['./x > ../y', 'deny', 'deny', 'deny'],
    ['echo "unclosed', 'deny', 'deny', 'deny'],
  ];
  for (const [command, strict, standard, trusting] of rows) {
    test(command, () => {
      const verdicts = (['strict', 'standard', 'trusting'] as const).map(
        (preset) => judge(preset, command).verdict,
      );
      assert.deepEqual(verdicts, [strict, standard, trusting]);
    });
  }
  test('the reason says that the command is not listed', () => {
    assert.match(judge('trusting', './x').reason, /though not listed/);
  });
});
