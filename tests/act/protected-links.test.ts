/** File tools are judged by what a file is for others, not only by the path it is written to. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { performAction } from '../../activities/act/act.ts';
import type { Approval } from '../../activities/contract/approval.ts';
import { createProtectedRoom, git } from './protected-room.ts';

const cases = [
  { why: 'in a folder that a protected name is a link to', path: 'ci/new.yml', rule: /^paths\./ },
  { why: 'through a link to a protected folder', path: 'work/new.yml', rule: /^paths\./ },
  {
    why: 'in the folder git takes hooks from',
    path: 'hooks/pre-commit',
    rule: /^git\.hooks-path$/,
  },
  { why: 'through a link to that folder', path: 'tools/pre-commit', rule: /^git\.hooks-path$/ },
  { why: 'beside them', path: 'src/new.js', rule: undefined },
];

for (const { why, path, rule } of cases)
  test(`a file ${why} ${rule === undefined ? 'is written' : 'is written only when a person approves'}`, async (context) => {
    const room = await createProtectedRoom();
    context.after(() => room.close());
    const at = (name: string): string => join(room.workspace, name);
    renameSync(at('.github/workflows'), at('ci'));
    symlinkSync('../ci', at('.github/workflows'));
    symlinkSync('.github/workflows', at('work'));
    mkdirSync(at('hooks'));
    symlinkSync('hooks', at('tools'));
    git(room.workspace, 'config', 'core.hooksPath', 'hooks');
    const write = (approval?: Approval) =>
      performAction(room.dependencies, {
        run: 'r',
        step: 's1',
        seq: 1,
        call: 'c1',
        tool: 'write_file',
        workspace: room.workspace,
        args: { path, content: 'x\n' },
        signal: new AbortController().signal,
        approval,
      });
    const acted = await write();
    assert.equal(acted.verdict, rule === undefined ? 'allow' : 'ask', acted.rule);
    assert.equal(existsSync(at(path)), rule === undefined);
    if (rule === undefined) return;
    assert.match(acted.rule, rule);
    await write(room.approve(acted.digest, 'approve'));
    assert.ok(existsSync(at(path)));
  });
