/** Thread entry: does one thing after another to texts that are made to take long, and says when each is done. */
import { parentPort, workerData } from 'node:worker_threads';
import { toLine } from '../../cli/clean.ts';
import { readPolicyBundle } from '../../config/policies.ts';
import { cutInFrame, toFrame } from '../../activities/model/frame.ts';
import { readJson } from '../../activities/model/plan.ts';
import { findWeakened } from '../../activities/files/test-changes.ts';
import { decide } from '../../policies/decide.ts';
import { explainCommand } from '../../policies/explain.ts';
import { matchesGlob, toGlob } from '../../policies/paths/glob.ts';
import { findInjection } from '../../policies/untrusted/injection.ts';
import { createRedactionStream } from '../../policies/secrets/redaction-stream.ts';
import { countPlaceholders, createRedactor } from '../../policies/secrets/redaction.ts';
import { isTestRun } from '../../policies/commands/test-runs.ts';
import { toCommandLine } from '../../policies/commands/shell.ts';
import { parseYaml } from '../../policies/yaml.ts';
import type { HostileText, Task } from './run.ts';
import { shippedDir, workspace } from '../policies/cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const { policy } = await readPolicyBundle(shippedDir);
const redactor = createRedactor([
  { name: 'REPETITIVE', value: `${'a'.repeat(3_000)}1` },
  { name: 'ALTERNATING', value: `${'ab'.repeat(1_000)}2` },
  { name: 'SPACED', value: 'four words with spaces '.repeat(5) },
]);

function judge(args: Readonly<Record<string, unknown>>): void {
  const action = builtIn.toAction({ tool: 'run_command', args, workspace });
  decide(policy, action);
  explainCommand(policy, action);
  if (action.access.section === 'commands') isTestRun(toCommandLine(action.access, workspace));
}

const tasks: Readonly<Record<Task, (text: string) => void>> = {
  redact: (text) => void redactor.redact(text),
  stream: (text) => {
    const stream = createRedactionStream(redactor);
    for (let at = 0; at < text.length; at += 65_536) stream.write(text.slice(at, at + 65_536));
    stream.end();
  },
  inject: (text) => void findInjection(text),
  command: (text) => judge({ command: text }),
  quoted: (text) => judge({ command: `echo "${text}"` }),
  words: (text) => judge({ argv: ['git', ...text.split(' ')] }),
  word: (text) => {
    judge({ argv: ['git', 'show', text] });
    judge({ argv: ['rm', '-rf', `${text}a`] });
  },
  clean: (text) => void toLine(text, 80),
  frame: (text) => {
    cutInFrame(text, (body) => body);
    cutInFrame(toFrame({ name: 'result', text }), (body) => body);
  },
  answer: (text) => void readJson(text),
  diff: (text) => void findWeakened(`diff --git a/x.test.ts b/x.test.ts\n${text}`),
  glob: (text) => void matchesGlob(toGlob(`${'*a'.repeat(50)}b`), [text]),
  placeholders: (text) => void countPlaceholders(text),
  yaml: (text) => void parseYaml('tools.yaml', text),
};

for (const { task, piece, length } of workerData as readonly HostileText[]) {
  tasks[task](piece.repeat(Math.max(1, Math.floor(length / piece.length))));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage('done');
}
