/** What the policy costs: judging a parsed line, and a line as the model wrote it. */
import { readFileSync } from 'node:fs';
import { decideParts } from '../../policies/commands/parts.ts';
import { decide, judgeLine } from '../../policies/decide.ts';
import { parsePolicy } from '../../policies/parse.ts';
import type { Policy } from '../../policies/policy.ts';
import { parseCommand } from '../../policies/commands/shell.ts';
import { median } from './measure.ts';
import type { Row } from './measure.ts';
import { builtIn } from '../../tools/built-in.ts';

const workspace = '/work/ws';
const command =
  "cat src/index.ts lib/a.ts | grep -n 'import' | sed 's/from/FROM/' | awk '{print $2}' | sort -u | uniq -c | tr a-z A-Z | cut -d ' ' -f 2 | head -n 20 | tee out/imports.txt 2>&1";

const read = (name: string) =>
  readFileSync(new URL(`../../policies/${name}`, import.meta.url), 'utf8');

/** The shipped commands, with 200 rules on reading and as many on writing. */
function readLargePolicy(): Policy {
  const rules = Array.from({ length: 199 }, (_, n) => `{ path: "packages/p${n}/**/*.secret${n}" }`);
  const section = `{ deny: [${rules.join(', ')}], allow: ["**"] }`;
  const paths = `version: 1\nread: ${section}\nwrite: ${section}\ndelete: ${section}\n`;
  const parsed = parsePolicy({ tools: read('tools.yaml'), network: read('network.yaml'), paths });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.policy;
}

/** Median milliseconds of one call, warm: batches of calls, since one is below what a clock can tell. */
function timeWarm(work: () => unknown): number {
  const batch = 50;
  const times: number[] = [];
  for (let round = 0; round < 200; round++) {
    const started = performance.now();
    for (let call = 0; call < batch; call++) work();
    if (round >= 120) times.push((performance.now() - started) / batch);
  }
  return median(times);
}

export function measurePolicies(): Promise<Row[]> {
  const policy = readLargePolicy();
  const line = parseCommand(command, { workspace });
  const { verdict } = decideParts(judgeLine(policy, line, workspace));
  if (verdict !== 'allow') throw new Error(`The line is measured as allowed, got ${verdict}.`);
  const judging = timeWarm(() => decideParts(judgeLine(policy, line, workspace)));
  const action = builtIn.toAction({ tool: 'run_command', args: { command }, workspace });
  const whole = timeWarm(() => decide(policy, action));
  const common = { unit: 'ms', limit: 1 } as const;
  return Promise.resolve([
    {
      ...common,
      name: 'decision on a pipe of ten among 200 rules / 100 µs',
      ours: judging,
      baseline: 0.1,
    },
    { ...common, name: 'the same with parsing / 1 ms', ours: whole, baseline: 1 },
  ]);
}
