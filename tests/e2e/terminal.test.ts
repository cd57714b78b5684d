/** The agent on a real terminal, with a person who types too early, too much, or something else than expected. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { countTurns, tellStory } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import type { Turn } from '../model-server/turns.ts';
import { createMachine, parseEvents } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';
import { openTerminal } from '../setup/terminal.ts';
import type { TerminalOptions, TerminalSession } from '../setup/terminal.ts';

const program = fileURLToPath(new URL('../../cli/agent.js', import.meta.url));

const long = [
  ...Array.from({ length: 150 }, (_, index) => `Rule ${index + 1}.`),
  `${'long '.repeat(200)}end-of-the-long-line`,
  'right\u202eot-left',
  'The last rule.',
  '',
].join('\n');

// A file is changed in the version that was read.
const read: Turn = { call: [{ name: 'read_file', args: { path: 'AGENTS.md' } }] };
const write = (content: string): Turn => ({
  call: [{ name: 'write_file', args: { path: 'AGENTS.md', content } }],
});

/** What the goals below make the model do. */
const calls: Readonly<Record<string, readonly Turn[]>> = {
  'Be kind': [read, write('Be kind.\n')],
  'Write much': [read, write(long)],
  'Ask me': [{ ask: 'Which of the two, 1 or 2?' }],
};

suite('a person at the terminal', () => {
  let model: ModelServer;
  let machine: Machine;
  let names = 0;
  before(async () => {
    model = await startModelServer(
      tellStory({
        plan: { steps: [{ id: 's1', title: 'Do it' }] },
        act(request) {
          const said = JSON.stringify(request.messages);
          const turns = Object.entries(calls).find(([goal]) => said.includes(goal))?.[1];
          return (
            turns?.[countTurns(request)] ?? { finish: { summary: 'Done.', evidence: 'See there.' } }
          );
        },
      }),
    );
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });

  interface Seat {
    readonly terminal: TerminalSession;
    readonly run: string;
    readonly written: () => Promise<string>;
  }

  async function sit(goal: string, options: TerminalOptions, use: (seat: Seat) => Promise<void>) {
    const run = `t${++names}`;
    const workspace = join(machine.root, run);
    await mkdir(workspace);
    await writeFile(join(workspace, 'AGENTS.md'), 'Be fast.\n');
    const words = [process.execPath, program, 'run', '--id', run, '-C', workspace, goal];
    const terminal = openTerminal(words, {
      cwd: machine.root,
      ...options,
      env: { ...machine.env, ...options.env },
    });
    const written = (): Promise<string> => readFile(join(workspace, 'AGENTS.md'), 'utf8');
    try {
      await use({ terminal, run, written });
    } finally {
      terminal.kill();
      await terminal.ended;
    }
  }

  test('y before the question does not allow the action', async () => {
    await sit('Be kind', {}, async ({ terminal, written }) => {
      terminal.type('y\n');
      await terminal.waitFor(/Run t\d/);
      terminal.type('y\ny\n');
      await terminal.waitFor(/\+Be kind\.[\s\S]*Allow a1\? /);
      await setTimeout(700);
      assert.doesNotMatch(terminal.text(), /approved/);
      assert.equal(await written(), 'Be fast.\n');
      terminal.type('y\r');
      await terminal.waitFor(/a1 approved/);
      assert.equal(await terminal.ended, 0);
      assert.equal(await written(), 'Be kind.\n');
    });
  });

  test('1 before the question does not answer it', async () => {
    await sit('Ask me', {}, async ({ terminal }) => {
      terminal.type('1\n');
      await terminal.waitFor(/Run t\d/);
      terminal.type('1\n1');
      const at = await terminal.waitFor(/Your answer: /);
      await setTimeout(700);
      assert.doesNotMatch(terminal.text(), /answers q1/);
      terminal.type('2\r');
      await terminal.waitFor(/answers q1: 2/, at);
      assert.equal(await terminal.ended, 0);
    });
  });

  test('a long action is shown to its end before y counts; show and --json have all of it', async () => {
    await sit('Write much', { rows: 40 }, async ({ terminal, run, written }) => {
      let at = await terminal.waitFor(/-- 38 of \d+ lines: /);
      terminal.type('y\ry\r');
      await setTimeout(300);
      for (let page = 0; !/The last rule\./.test(terminal.text()); page += 1) {
        assert.ok(page < 10 && !/Allow a1/.test(terminal.text()), terminal.text());
        terminal.type(' ');
        await setTimeout(200);
      }
      at = await terminal.waitFor(/Allow a1\? /, at);
      assert.match(terminal.text(), /end-of-the-long-line/);
      assert.match(terminal.text(), /right<U\+202E>ot-left/);
      assert.match(terminal.text(), /Rule 150\./);
      const { stdout } = await machine.run('show', run);
      assert.match(stdout, /\+Rule 150\.\n/);
      assert.match(stdout, /end-of-the-long-line\n/);
      assert.match(stdout, /right<U\+202E>ot-left\n/);
      for (const args of [['show'], ['logs']]) {
        const shown = await machine.run(...args, run, '--json');
        assert.ok(shown.stdout.includes('right\\u202eot-left'), 'escaped');
        assert.ok(
          JSON.stringify(parseEvents(shown.stdout)).includes(JSON.stringify(long)),
          'whole',
        );
      }
      terminal.type('n too much\r');
      await terminal.waitFor(/a1 denied by .*: too much/, at);
      await terminal.ended;
      assert.equal(await written(), 'Be fast.\n');
    });
  });

  test('an action is edited in place; left as it is, it waits for y, and emptied for another word', async () => {
    const editor = join(machine.root, 'editor.sh');
    const edit = async (line: string): Promise<void> => {
      await writeFile(editor, `#!/bin/sh\n${line}\n`);
      await chmod(editor, 0o755);
    };
    await edit('true');
    const env = { EDITOR: editor, VISUAL: '' };
    await sit('Be kind', { env }, async ({ terminal, written }) => {
      let at = await terminal.waitFor(/Allow a1\? /);
      terminal.type('e\r');
      at = await terminal.waitFor(/left the arguments as they are[\s\S]*Allow a1\? /, at);
      await edit(': > "$1"');
      terminal.type('e\r');
      at = await terminal.waitFor(/emptied the file[\s\S]*Allow a1\? /, at);
      await edit('echo "{" > "$1"');
      terminal.type('e\r');
      at = await terminal.waitFor(/are not valid JSON[\s\S]*Allow a1\? /, at);
      assert.equal(await written(), 'Be fast.\n');
      await edit('sed -i s/kind/brief/ "$1"');
      terminal.type('e\r');
      await terminal.waitFor(/a1 approved, with other arguments/, at);
      assert.equal(await terminal.ended, 0);
      assert.equal(await written(), 'Be brief.\n');
    });
  });

  test('always shows the rule it would add, and adds it after a second y', async () => {
    await sit('Be kind', {}, async ({ terminal, written }) => {
      let at = await terminal.waitFor(/Allow a1\? /);
      terminal.type('a\r');
      at = await terminal.waitFor(/allow +write_file AGENTS\.md[\s\S]*Add this rule\? /, at);
      terminal.type('\r');
      at = await terminal.waitFor(/No rule was added[\s\S]*Allow a1\? /, at);
      terminal.type('a\r');
      at = await terminal.waitFor(/but not[\s\S]*Add this rule\? /, at);
      terminal.type('y\r');
      await terminal.waitFor(/Added \S+ to \S*always\.yaml/, at);
      assert.equal(await terminal.ended, 0);
      assert.equal(await written(), 'Be kind.\n');
    });
  });

  test('Ctrl-C leaves the run waiting, and what is piped in answers nothing', async () => {
    await sit('Write much', {}, async ({ terminal, run }) => {
      await terminal.waitFor(/-- \d+ of \d+ lines/);
      terminal.type('\u0003');
      await terminal.waitFor(/keeps running/);
      assert.equal(await terminal.ended, 6);
      const piped = openTerminal(
        [
          'sh',
          '-c',
          `yes | "$0" "$@"; echo "ended with $?"`,
          process.execPath,
          program,
          'attach',
          run,
        ],
        { env: machine.env },
      );
      await piped.waitFor(/waits for approval a1[\s\S]*ended with 3/);
      await piped.ended;
    });
  });
});
