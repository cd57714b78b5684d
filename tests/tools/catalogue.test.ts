import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { catalogue, parseArguments, toParameters, toPreview } from '../../tools/catalogue.ts';

suite('parseArguments', () => {
  const good = [
    ['read_file', '{"path":"a.ts"}', { path: 'a.ts' }],
    ['read_file', '{"path":"a.ts","startLine":"3","endLine":null}', { path: 'a.ts', startLine: 3 }],
    [
      'edit_file',
      '{"path":"a","old":"x","new":"","all":"true"}',
      { path: 'a', old: 'x', new: '', all: true },
    ],
    ['write_file', '{"path":"n","content":"12"}', { path: 'n', content: '12' }],
    ['run_command', '{"argv":["ls","-la"]}', { argv: ['ls', '-la'] }],
    ['list_files', '', {}],
  ] as const;
  for (const [tool, text, args] of good) {
    test(`${tool} ${text}`, () => assert.deepEqual(parseArguments(tool, text), { ok: true, args }));
  }

  const bad = [
    ['write_file', '{"path":"x.txt","content":"a"', /not valid JSON/],
    ['fs.nuke', '{}', /no tool "fs\.nuke".*read_file/],
    ['write_file', '{"path":"x","content":"a","force":true}', /force/],
    ['read_file', '{"path":123}', /path/],
    ['read_file', '{"path":["a"]}', /path/],
    ['read_file', '[]', /Invalid arguments/],
    ['read_file', '{"path":"a","startLine":0}', /startLine/],
    ['read_file', '{"path":"a","startLine":"1e3"}', /startLine/],
  ] as const;
  for (const [tool, text, reason] of bad) {
    test(`${tool} ${text} is refused`, () => {
      const parsed = parseArguments(tool, text);
      assert.ok(!parsed.ok);
      assert.match(parsed.reason, reason);
    });
  }
});

test('parameters are full object schemas without references, as small servers need them', () => {
  for (const tool of catalogue) {
    const schema = toParameters(tool);
    assert.equal(schema['type'], 'object', tool.name);
    assert.ok(typeof schema['properties'] === 'object', tool.name);
    assert.doesNotMatch(JSON.stringify(schema), /\$ref|anyOf|\$schema/, tool.name);
  }
});

test('a preview is one line of at most 160 characters', () => {
  assert.equal(toPreview('run_command', { argv: ['git', 'log'], cwd: 'sub' }), 'git log (in sub)');
  assert.equal(toPreview('read_file', { path: 'a.ts', startLine: 4 }), 'a.ts:4');
  assert.equal(toPreview('run_command', { command: 'a\nb' }), 'a b');
  assert.equal(toPreview('write_file', { path: 'x'.repeat(400), content: '' }).length, 160);
});
