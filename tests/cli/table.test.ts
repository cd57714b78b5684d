import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { renderFolder, renderRuns } from '../../cli/commands/list.ts';
import { renderTable } from '../../cli/render/table.ts';
import { widthOf } from '../../cli/render/width.ts';

const row = (run: string, goal: string) => ({
  run,
  status: 'needs-approval',
  open: true,
  step: 's2',
  model: 'm',
  tokens: 12_345,
  toolCalls: 7,
  started: '2026-11-28T10:00:00Z',
  goal,
  workspace: '/home/ada/shop',
});
const rows = [
  row(
    'brave-otter-4f2a',
    'Add ✅ and ❌ to every line of the report, then 世界 🇩🇪 and the rest of it',
  ),
  row('calm-crow-0001', 'Short'),
];
const now = new Date('2026-11-28T11:05:00Z');

suite('the list of runs', () => {
  for (const columns of [40, 80, 200]) {
    test(`fits ${columns} columns, with run, status and goal`, () => {
      const lines = renderRuns(rows, now, columns).trimEnd().split('\n');
      assert.equal(lines.length, 3);
      for (const line of lines) assert.ok(widthOf(line) <= columns, line);
      assert.match(lines[0] ?? '', /^RUN +STATUS +.*GOAL$/);
      assert.match(lines[2] ?? '', /^calm-crow-0001 +needs-approval .*Short$/);
    });
  }
  test('shows the folder where there is room', () => {
    assert.match(renderRuns(rows, now, 120), /FOLDER +GOAL\n.*\/home\/ada\/shop +Add ✅/);
    assert.doesNotMatch(renderRuns(rows, now, 60), /FOLDER/);
  });
  test('is whole where there is no window', () => {
    assert.match(renderRuns(rows, now, Infinity), /TOKENS.*\n.*12\.3k.*and the rest of it\n/);
  });
});

for (const [path, shown] of [
  ['/home/ada', '~'],
  ['/home/ada/shop', '~/shop'],
  ['/home/adam', '/home/adam'],
  ['/srv/a/very/long/path/to/some/project', '…ery/long/path/to/some/project'],
] as const)
  test(`the folder ${path} is shown as ${shown}`, () =>
    assert.equal(renderFolder(path, '/home/ada'), shown));

test('cells are padded by the columns they take', () => {
  assert.equal(
    renderTable(
      {
        head: ['A', 'B'],
        rows: [
          ['✅', 'x'],
          ['abc', 'y'],
        ],
      },
      80,
    ),
    'A    B\n✅   x\nabc  y\n',
  );
});
