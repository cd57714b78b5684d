import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { builtIn, builtInTools } from '../../tools/built-in.ts';
import { createRegistry } from '../../tools/registry.ts';
import type { Tool } from '../../tools/tool.ts';

const { parseArguments, toPreview } = builtIn;

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
    ['read_file', '[]', /^Invalid arguments for read_file: they must be an object\.$/],
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
  for (const { name, parameters } of builtInTools) {
    assert.equal(parameters['type'], 'object', name);
    assert.ok(typeof parameters['properties'] === 'object', name);
    assert.doesNotMatch(JSON.stringify(parameters), /\$ref|anyOf|\$schema|"pattern":"/, name);
  }
});

test('the example of every tool is valid, and judged by its section', () => {
  for (const { name, section, effect } of builtInTools) {
    const { access } = builtIn.toSample(name, '/w');
    assert.equal(access.section, section, name);
    const changes = access.section === 'paths' && access.op !== 'read' && access.op !== 'list';
    if (section !== 'commands') assert.equal(effect, changes ? 'workspace' : 'pure', name);
  }
});

test('tools that look are offered before those that change something, control last', () =>
  assert.equal(
    builtInTools.map(({ name }) => name).join(' '),
    'list_files read_blob read_file search delete_file edit_file run_command write_file ask_human finish_step',
  ));

suite('a run with a tool of its own', () => {
  const look: Tool = {
    name: 'mcp__docs__look',
    description: 'Look something up.',
    parameters: { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] },
    origin: 'mcp',
    section: 'tools',
    effect: 'idempotent',
    foreign: true,
    example: { id: 1 },
    findProblem: ({ id }) => (Number.isInteger(id) ? undefined : 'id: expected a whole number'),
    toAccess: () => ({ section: 'tools', effect: 'idempotent' }),
    toPreview: ({ id }) => `entry ${String(id)}`,
  };
  const registry = createRegistry(builtInTools, [look]);
  const call = { tool: look.name, workspace: '/w' };

  test('offers it beside the others, by its own schema', () => {
    const offered = registry.toOffered({ without: ['run_command'] }).map(({ name }) => name);
    assert.equal(offered.length, builtInTools.length);
    assert.equal(offered.at(-1), look.name);
    assert.deepEqual(registry.parseArguments(look.name, '{"id":"7"}'), {
      ok: true,
      args: { id: 7 },
    });
    assert.match(JSON.stringify(registry.parseArguments(look.name, '{}')), /id: expected/);
    assert.equal(registry.toPreview(look.name, { id: 7 }), 'entry 7');
  });
  test('gives the policy its effect', () => {
    assert.deepEqual(registry.toAction({ ...call, args: { id: 7 } }).access, {
      section: 'tools',
      effect: 'idempotent',
    });
    assert.equal(registry.toAction({ ...call, args: {} }).access.section, 'form');
    assert.deepEqual(builtIn.toAction({ ...call, args: {} }).access, {
      section: 'tools',
      effect: 'external',
    });
  });
  test('in its last turn may only finish', () =>
    assert.deepEqual(
      registry.toOffered({ lastWord: true }).map(({ name }) => name),
      ['finish_step'],
    ));
  test('cannot have two of one name', () =>
    assert.throws(() => createRegistry(builtInTools, [look, look]), /mcp__docs__look/));
});

test('a preview is one line of at most 160 characters', () => {
  assert.equal(toPreview('run_command', { argv: ['git', 'log'], cwd: 'sub' }), 'git log (in sub)');
  assert.equal(toPreview('read_file', { path: 'a.ts', startLine: 4 }), 'a.ts:4');
  assert.equal(toPreview('run_command', { command: 'a\nb' }), 'a b');
  assert.equal(toPreview('write_file', { path: 'x'.repeat(400), content: '' }).length, 160);
});
