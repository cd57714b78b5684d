import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RunEventBody } from '../../audit/events/run-event.ts';
import { widthOf } from '../../cli/render/width.ts';
import { noTmux, openTmux } from '../setup/tmux.ts';
import type { Tmux } from '../setup/tmux.ts';

const viewer = fileURLToPath(new URL('viewer.ts', import.meta.url));

const started: RunEventBody = {
  type: 'run.started',
  goal: 'Ship ✅ it',
  workspace: '/ws',
  by: 'ada',
  approve: 'ask',
  limits: {},
  model: 'm',
};
const plan: RunEventBody = {
  type: 'plan.updated',
  round: 1,
  approach: 'Two steps.',
  plan: 'sha256:0',
  steps: [
    { id: 's1', title: `Look ✅ ⭐ ❌ ⏳ 🇩🇪 ${'at every file '.repeat(8)}`, dependsOn: [] },
    { id: 's2', title: 'Write the 世界 rules down', dependsOn: ['s1'] },
  ],
};
const begun: RunEventBody = { type: 'step.started', step: 's1', title: 'Look', attempt: 1 };
const question: RunEventBody = {
  type: 'input.requested',
  step: 's1',
  request: 'q1',
  question: `Which of the colours do you like? ${'Think well. '.repeat(12)}`,
};

interface Room {
  readonly tmux: Tmux;
  readonly env: Readonly<Record<string, string>>;
  /** The program and its argument, as a shell takes it. */
  readonly command: string;
  readonly show: (...events: readonly (RunEventBody | 'end')[]) => void;
}

interface Place {
  readonly columns: number;
  /** Started from a shell, in which it can be stopped. */
  readonly shell?: true;
  readonly term?: string;
}

async function withViewer({ columns, shell, term }: Place, use: (room: Room) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), 'agent-view-'));
  const file = join(folder, 'events');
  const env = {
    AGENT_STATE_DIR: join(folder, 'state'),
    PS1: 'shell> ',
    PATH: process.env['PATH'] ?? '',
    ...(term === undefined ? {} : { TERM: term }),
  };
  const program = [process.execPath, viewer, file];
  const tmux = openTmux(shell === true ? ['bash', '--norc', '-i'] : program, { columns, env });
  try {
    await use({
      tmux,
      env,
      command: program.join(' '),
      show: (...events) =>
        appendFileSync(
          file,
          events.map((event) => `${event === 'end' ? event : JSON.stringify(event)}\n`).join(''),
        ),
    });
  } finally {
    tmux.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const count = (text: string, pattern: RegExp): number =>
  [...text.matchAll(new RegExp(pattern, 'g'))].length;

/** One plan and one budget line, each line on a row of its own. */
function assertOneBlock(tmux: Tmux, columns: number): void {
  const screen = tmux.screen();
  for (const row of screen.split('\n')) assert.ok(widthOf(row) <= columns, screen);
  for (const pattern of [/▶ s1 /, /☐ s2 /, /thinking · step/])
    assert.equal(count(screen, pattern), 1, `${pattern} on:\n${screen}`);
  const rows = screen.split('\n');
  const at = rows.findIndex((row) => row.startsWith('▶ s1'));
  assert.match(rows[at + 1] ?? '', /^☐ s2/, screen);
  assert.match(rows.at(-1) ?? '', /^thinking · step 1/, screen);
}

for (const columns of [40, 80, 200]) {
  suite(`the live view at ${columns} columns`, { skip: noTmux }, () => {
    test('has every line on a row of its own, whatever is drawn', () =>
      withViewer({ columns }, async ({ tmux, show }) => {
        show(started, plan, begun);
        await tmux.waitForScreen(/thinking · step 1\/2/);
        assertOneBlock(tmux, columns);
        show({ type: 'thought', step: 's1', text: 'Done ✅ ⏳', transcript: '' });
        await tmux.waitFor(/Done ✅ ⏳\n[^]*thinking/);
        assertOneBlock(tmux, columns);
        show('end');
        assert.equal(await tmux.ended(), 0);
        assert.doesNotMatch(tmux.screen(), /☐|thinking/);
      }));

    test('leaves nothing behind in a window made narrower and wider again', () =>
      withViewer({ columns }, async ({ tmux, show }) => {
        show(started, plan, begun);
        await tmux.waitForScreen(/thinking · step 1\/2/);
        for (const width of [Math.ceil(columns / 2), 25, columns]) {
          await tmux.resize(width);
          // What changes is cut anew at once; the count of seconds changes by itself.
          await tmux.waitForScreen(/thinking · step 1.*\n*$/);
          await new Promise((resolve) => setTimeout(resolve, 1_300));
          assertOneBlock(tmux, width);
        }
      }));

    test('is gone while the program is stopped, and there once after fg', () =>
      withViewer({ columns, shell: true }, async ({ tmux, show, command }) => {
        await tmux.waitFor(/shell>/);
        show(started, plan, begun);
        tmux.type(command);
        tmux.press('Enter');
        await tmux.waitForScreen(/thinking · step 1\/2/);
        for (const round of [1, 2]) {
          tmux.press('C-z');
          await tmux.waitForScreen(/Stopped[^]*shell>$/);
          assert.doesNotMatch(tmux.screen(), /☐ s2|thinking/);
          tmux.type(`echo round ${round}`);
          tmux.press('Enter');
          await tmux.waitForScreen(new RegExp(`^round ${round}`, 'm'));
          tmux.type('fg');
          tmux.press('Enter');
          await tmux.waitForScreen(/thinking · step 1\/2/);
          assert.match(tmux.screen(), new RegExp(`^round ${round}\n`, 'm'));
          assertOneBlock(tmux, columns);
        }
        tmux.press('C-c');
        await tmux.waitForScreen(/shell>$/);
        assert.doesNotMatch(tmux.screen(), /☐ s2|thinking/);
      }));

    test('asks once, also in a window made narrower while something happens and is typed', () =>
      withViewer({ columns }, async ({ tmux, show }) => {
        show(started, plan, begun, question);
        await tmux.waitForScreen(/Your answer:$/);
        tmux.type('blue ✅ and');
        await tmux.waitForScreen(/Your answer: blue ✅ and$/);
        await tmux.resize(30);
        show({ type: 'said', text: 'Hurry.', by: 'bob' });
        await tmux.waitForScreen(/bob says: Hurry\.\n+Your answer: blue ✅ and$/);
        assert.equal(count(tmux.screen(), /Your answer/), 1, tmux.screen());
        await tmux.resize(20);
        tmux.type(' green');
        await tmux.waitForScreen(/Your answer: blue ✅\s+and green$/);
        assert.equal(count(tmux.screen(), /Your/), 1, tmux.screen());
        tmux.press('C-c');
        assert.equal(await tmux.ended(), 6);
      }));
  });
}

test('on a dumb terminal nothing is drawn: no cursor codes, no colours', { skip: noTmux }, () =>
  withViewer({ columns: 80, shell: true, term: 'dumb' }, async ({ tmux, show, command, env }) => {
    await tmux.waitFor(/shell>/);
    const file = join(env['AGENT_STATE_DIR'] ?? '', '..', 'raw');
    tmux.record(file);
    tmux.type(`TERM=dumb ${command}`);
    tmux.press('Enter');
    show(started, plan, begun, question);
    await tmux.waitForScreen(/Your answer:$/);
    tmux.type('blue');
    show({ type: 'said', text: 'Hurry.', by: 'bob' });
    await tmux.waitForScreen(/Hurry\.\nYour answer: blue$/);
    show('end');
    await tmux.waitForScreen(/shell>$/);
    const raw = readFileSync(file, 'utf8');
    const ours = raw.slice(raw.indexOf('Goal'), raw.lastIndexOf('Your answer: blue'));
    assert.match(ours, /Step s1/);
    assert.ok(!ours.includes('\u001b'), JSON.stringify(ours));
  }),
);
