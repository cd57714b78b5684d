/** A run of ten thousand calls: what a call costs in its course, and what the worker keeps. Minutes long; only when named. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runView } from '../../workflows/contract.ts';
import { happy } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';
import type { Row } from './measure.ts';
import { startModel } from './steps.ts';
import { waitFor } from '../setup/wait-for.ts';

const marks = [1_000, 5_000, 10_000];

export async function measureLong(address: string): Promise<Row[]> {
  const tools = await readFile(new URL('../../policies/tools.yaml', import.meta.url), 'utf8');
  const most = { tool_calls: 1_000_000, tokens: 2_000_000_000, minutes: 10_000 };
  const allowed = Object.entries(most).reduce(
    (text, [name, value]) =>
      text.replace(new RegExp(`^  ${name}: \\d+`, 'm'), `  ${name}: ${value}`),
    tools,
  );
  const model = await startModel(0);
  const agent = await startAgent(happy, {
    address,
    baseUrl: model.baseUrl,
    policies: { 'tools.yaml': allowed },
  });
  const workspace = join(agent.folders.root, 'long');
  mkdirSync(workspace, { recursive: true });
  const lines = Array.from({ length: 10_100 }, (_, index) => `line ${index}\n`);
  writeFileSync(join(workspace, 'lines.txt'), lines.join(''));
  const rows: Row[] = [];
  const handle = await agent.start('Go on', { workspace });
  let [before, at] = [0, performance.now()];
  let first: { readonly ms: number; readonly rss: number } | undefined;
  for (const mark of marks) {
    const calls = await waitFor(
      `${mark} calls`,
      async () => {
        const { toolCalls } = (await handle.query(runView)).usage;
        return toolCalls >= mark && toolCalls;
      },
      3_600_000,
    );
    const ms = (performance.now() - at) / (calls - before);
    const rss = process.memoryUsage().rss / 1e6;
    [before, at] = [calls, performance.now()];
    first ??= { ms, rss };
    rows.push(
      {
        name: `one call up to the ${mark}th / up to the ${marks[0]}th`,
        ours: ms,
        baseline: first.ms,
        unit: 'ms',
      },
      {
        name: `memory of the worker at ${mark} calls / at ${marks[0]}`,
        ours: rss,
        baseline: first.rss,
        unit: 'MB',
      },
    );
  }
  const result = await handle.result();
  if (result.status !== 'done') throw new Error(result.summary);
  await agent.stop();
  model.stop();
  return rows;
}
