/** Asks questions on the terminal, as the live view does, each when a file says so, and prints the answers. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { createKeyboard } from '../../cli/terminal/keyboard.ts';
import { ask } from '../../cli/terminal/question.ts';

const [file = ''] = process.argv.slice(2);
const keyboard = createKeyboard();
process.stderr.write('Ready\n');
for (let asked = 0; ; asked += 1) {
  const orders = (): string[] =>
    existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  while (orders().length <= asked) await setTimeout(10);
  const order = orders()[asked] ?? '';
  if (order === 'end') break;
  const { lines, name } = JSON.parse(order) as { lines: number; name: string };
  const body = Array.from({ length: lines }, (_, index) => `${name} line ${index + 1}`);
  const stop = new AbortController();
  const early = { key: 'n', hint: 'n refuses', text: `Refuse ${name}? ` };
  const { typed } = ask(keyboard, { body, text: `Allow ${name}? `, early }, stop.signal);
  // The next order takes this question's place.
  const replaced = (async () => {
    while (orders().length <= asked + 1 && !stop.signal.aborted) await setTimeout(10);
    stop.abort();
  })();
  const answer = await typed;
  process.stderr.write(`${name} answered: ${JSON.stringify(answer ?? 'nothing')}\n`);
  stop.abort();
  await replaced;
}
await keyboard.close();
process.exit(0);
