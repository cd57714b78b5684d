import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parsePolicy } from '../../policies/parse.ts';
import type { PolicyFiles } from '../../policies/parse.ts';
import { readCases } from './cases.ts';

const valid: PolicyFiles = {
  tools: 'version: 1\ntools: {}\n',
  network: 'version: 1\n',
  paths: 'version: 1\n',
};

interface YamlCase {
  file: 'tools.yaml' | 'network.yaml' | 'paths.yaml';
  yaml: string;
  line: number;
  message: string;
}

suite('a broken file', () => {
  for (const { file, yaml, line, message } of readCases<YamlCase>('yaml')) {
    test(`${file}: ${JSON.stringify(yaml)}`, () => {
      const parsed = parsePolicy({ ...valid, [file.replace('.yaml', '')]: yaml });
      assert.ok(!parsed.ok, 'accepted');
      const found = parsed.problems.find(
        (problem) => problem.line === line && problem.message.includes(message),
      );
      assert.ok(found, JSON.stringify(parsed.problems, null, 1));
      assert.equal(found.file, file);
      assert.ok(found.column >= 1);
      assert.notEqual(found.expected, '');
    });
  }

  test('aliases are refused before they multiply', () => {
    const rows = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi']) {
      rows.push(`${to}: &${to} [${Array.from({ length: 9 }, () => `*${from}`).join()}]`);
    }
    const parsed = parsePolicy({ ...valid, tools: rows.join('\n') });
    assert.ok(!parsed.ok);
    assert.match(parsed.problems[0]?.message ?? '', /alias/);
  });

  test('too much and too deep are refused, not survived', () => {
    const large = parsePolicy({ ...valid, paths: `version: 1\n#${'x'.repeat(300_000)}` });
    assert.ok(!large.ok);
    assert.match(large.problems[0]?.expected ?? '', /at most/);
    for (const deep of ['['.repeat(100_000), '- '.repeat(50_000)]) {
      assert.equal(parsePolicy({ ...valid, paths: deep }).ok, false);
    }
  });

  test('every problem of all files is reported at once, with places', () => {
    const parsed = parsePolicy({
      tools: 'version: 1\ntools:\n  allow: ["a b", c d]\n  extra: 1\n',
      network: 'version: 1\nallow: ["*"]\ndeny: [x.example/y]\n',
      paths: 'version: 1\nread:\n  deny: [../a]\n  allow: 3\n',
    });
    assert.ok(!parsed.ok);
    assert.deepEqual(
      parsed.problems.map(({ file, line, column }) => `${file}:${line}:${column}`).toSorted(),
      [
        'network.yaml:2:9',
        'network.yaml:3:8',
        'paths.yaml:3:10',
        'paths.yaml:4:10',
        'tools.yaml:3:11',
        'tools.yaml:3:18',
        'tools.yaml:4:3',
      ],
    );
  });
});

test('names of JavaScript are ordinary names', () => {
  const parsed = parsePolicy({
    ...valid,
    tools:
      'version: 1\ntools: { allow: [toString] }\ncommands:\n  constructor: { effect: pure }\n  hasOwnProperty: { effect: pure }\n',
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  assert.deepEqual([...parsed.policy.commands.keys()], ['constructor', 'hasOwnProperty']);
});
