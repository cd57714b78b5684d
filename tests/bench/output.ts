/** A command that prints a gigabyte. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { probeSandbox } from '../../activities/sandbox/sandbox.ts';
import { runCommandLine } from '../../activities/sandbox/shell.ts';
import { pair } from './measure.ts';
import type { Row } from './measure.ts';

const bytes = 1_073_741_824;

const plain = async (): Promise<number> => {
  const started = performance.now();
  execFileSync('sh', ['-c', `head -c ${bytes} /dev/zero | cat > /dev/null`]);
  return performance.now() - started;
};

export async function measureOutput(): Promise<Row[]> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'agent-bench-')));
  const sandbox = await probeSandbox('auto', join(root, 'sandbox'));
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
  const print = async (): Promise<number> => {
    const started = performance.now();
    const command = { argv: ['head', '-c', String(bytes), '/dev/zero'], redirects: [] };
    const outcome = await runCommandLine(
      { kind: 'plain', pipelines: [{ when: 'first', cwd: '.', commands: [command] }] },
      {
        root,
        sandbox,
        timeoutMs: 120_000,
        maxOutputBytes: 1_000_000,
        spillDir: join(root, 'spill'),
        signal: new AbortController().signal,
        guard: { isHidden: () => false, isProtected: () => false },
        authorize: () => undefined,
      },
    );
    if (outcome.exitCode !== 0)
      throw new Error(`head ended with ${outcome.exitCode}: ${outcome.head.slice(0, 200)}`);
    return performance.now() - started;
  };
  const [ours, baseline] = await pair(5, print, plain);
  clearInterval(watch);
  rmSync(root, { recursive: true, force: true });
  return [
    {
      name: 'command that prints 1 GiB / cmd | cat > /dev/null',
      ours,
      baseline,
      unit: 'ms',
      limit: 1.5,
    },
    {
      name: 'memory it adds to the worker / 64 MB',
      ours: (most - before) / 1e6,
      baseline: 64,
      unit: 'MB',
      limit: 1,
    },
  ];
}
