import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openTerminal } from '../setup/terminal.ts';
import type { TerminalSession } from '../setup/terminal.ts';

const asker = fileURLToPath(new URL('asker.ts', import.meta.url));

interface Room {
  readonly terminal: TerminalSession;
  readonly ask: (name: string, lines?: number) => Promise<void>;
  readonly end: () => Promise<void>;
}

async function withAsker(program: readonly string[], use: (room: Room) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), 'agent-ask-'));
  const file = join(folder, 'orders');
  const terminal = openTerminal([...program, process.execPath, asker, file], { rows: 12 });
  try {
    await terminal.waitFor(/Ready/);
    await use({
      terminal,
      ask: (name, lines = 2) => appendFile(file, `${JSON.stringify({ name, lines })}\n`),
      async end() {
        await appendFile(file, 'end\n');
        assert.equal(await terminal.ended, 0);
      },
    });
  } finally {
    terminal.kill();
    await terminal.ended;
    rmSync(folder, { recursive: true });
  }
}

const isQuiet = async (terminal: TerminalSession, pattern: RegExp): Promise<void> => {
  await setTimeout(700);
  assert.doesNotMatch(terminal.text(), pattern);
};

test('what was typed before a question never answers it, whole lines or parts of them', async () => {
  await withAsker([], async ({ terminal, ask, end }) => {
    terminal.type('y\ny\nyes');
    await setTimeout(50);
    terminal.type('y');
    await ask('A');
    terminal.type('y\n');
    await terminal.waitFor(/Allow A\? /);
    await isQuiet(terminal, /answered/);
    terminal.type('n later\n');
    await terminal.waitFor(/A answered: .*"text":"n later"/);
    await end();
  });
});

test('typing on while a question opens does not answer it', async () => {
  await withAsker([], async ({ terminal, ask, end }) => {
    await ask('A');
    for (let count = 0; count < 8; count += 1) {
      terminal.type('y\n');
      await setTimeout(60);
    }
    const at = await terminal.waitFor(/Allow A\? /);
    await isQuiet(terminal, /answered/);
    terminal.type('n\n');
    await terminal.waitFor(/A answered: .*"text":"n"/, at);
    await end();
  });
});

test('what was typed for a question that another one replaced does not answer the other', async () => {
  await withAsker([], async ({ terminal, ask, end }) => {
    await ask('A');
    await terminal.waitFor(/Allow A\? /);
    terminal.type('y');
    await terminal.waitFor(/Allow A\? y/);
    await ask('B');
    await terminal.waitFor(/A answered: "nothing"/);
    terminal.type('\n');
    const at = await terminal.waitFor(/Allow B\? /);
    await isQuiet(terminal, /B answered/);
    terminal.type('\n');
    await terminal.waitFor(/B answered: .*"text":""/, at);
    await end();
  });
});

for (const [title, keys] of [
  ['as the terminal marks it', '\u001b[200~y\nrest\n\u001b[201~\r'],
  ['without marks', 'y\nrest\nmore\n'],
] as const) {
  test(`a pasted text of several lines is one answer, and not its first line: ${title}`, async () => {
    await withAsker([], async ({ terminal, ask, end }) => {
      await ask('A');
      await terminal.waitFor(/Allow A\? /);
      terminal.type(keys);
      await terminal.waitFor(/A answered: .*"text":"y⏎rest⏎(more)?"/);
      await end();
    });
  });
}

test('a long question is shown page by page, and y counts after its end only', async () => {
  await withAsker([], async ({ terminal, ask, end }) => {
    await ask('A', 25);
    let at = await terminal.waitFor(/-- 10 of 25 lines/);
    assert.doesNotMatch(terminal.text(), /line 11/);
    terminal.type('y\u0000yyy');
    await isQuiet(terminal, /line 11|Allow/);
    // One page a key, however many keys come at once.
    terminal.type('    ');
    at = await terminal.waitFor(/-- 20 of 25 lines/, at);
    await isQuiet(terminal, /line 21/);
    terminal.type('\r');
    await terminal.waitFor(/A line 25\nAllow A\? /, at);
    terminal.type('y\r');
    await terminal.waitFor(/A answered: \{"whole":true,"typed":\{"kind":"line","text":"y"\}\}/);
    await end();
  });
});

test('who has seen enough refuses before the end', async () => {
  await withAsker([], async ({ terminal, ask, end }) => {
    await ask('A', 25);
    await terminal.waitFor(/-- 10 of 25 lines/);
    terminal.type('n');
    await terminal.waitFor(/Refuse A\? /);
    terminal.type('n too much\r');
    await terminal.waitFor(/A answered: \{"whole":false,.*"text":"n too much"/);
    await end();
  });
});

test('after Ctrl-Z and fg the question is shown anew, and what was typed before does not count', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-ask-'));
  const file = join(folder, 'orders');
  await appendFile(file, `${JSON.stringify({ name: 'A', lines: 2 })}\n`);
  const terminal = openTerminal(['bash', '--norc', '-i']);
  try {
    await terminal.waitFor(/bash\S*[#$] /);
    terminal.type(`${process.execPath} ${asker} ${file}\n`);
    let at = await terminal.waitFor(/Allow A\? /);
    terminal.type('y');
    at = await terminal.waitFor(/Allow A\? y/);
    terminal.type('\u001a');
    at = await terminal.waitFor(/Stopped[\s\S]*bash\S*[#$] /, at);
    terminal.type('fg\ny\n');
    at = await terminal.waitFor(/A line 2\nAllow A\? /, at);
    await isQuiet(terminal, /A answered/);
    terminal.type('n\r');
    await terminal.waitFor(/A answered: .*"text":"n"/, at);
    await appendFile(file, 'end\n');
    await terminal.waitFor(/bash\S*[#$] /, at);
  } finally {
    terminal.type('exit\n');
    await terminal.ended;
    rmSync(folder, { recursive: true });
  }
});

test('Ctrl-C leaves a question unanswered', async () => {
  await withAsker([], async ({ terminal, ask }) => {
    await ask('A');
    await terminal.waitFor(/Allow A\? /);
    terminal.type('y\u0003');
    await terminal.waitFor(/A answered: .*"kind":"left"/);
  });
});
