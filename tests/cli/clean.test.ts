import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripControls, toLine } from '../../cli/clean.ts';

for (const [what, text, expected] of [
  ['plain text', 'grüße, 世界 👩‍🚀\tx\ny', 'grüße, 世界 👩‍🚀\tx\ny'],
  ['colours', '\u001b[31mred\u001b[0m', 'red'],
  ['a cleared screen', 'a\u001b[2J\u001b[Hb', 'ab'],
  ['a window title (BEL)', 'a\u001b]0;owned\u0007b', 'ab'],
  ['a link (ST)', '\u001b]8;;http://evil\u001b\\click\u001b]8;;\u001b\\', 'click'],
  ['a clipboard write', 'a\u001b]52;c;ZXZpbA==\u0007b', 'ab'],
  ['an unfinished title', 'a\u001b]0;never ended', 'a'],
  ['eight-bit introducers', 'a\u009b31mb\u009d0;t\u009cc', 'abc'],
  ['a device control string', 'a\u001bP1$r0m\u001b\\b', 'ab'],
  ['carriage returns that overwrite', 'rm -rf /\rls       ', 'rm -rf /ls       '],
  ['backspaces', 'safe\b\b\b\bevil', 'safeevil'],
  ['line ends of Windows', 'a\r\nb', 'a\nb'],
  ['right-to-left overrides', 'a\u202egpj.exe', 'agpj.exe'],
  ['invisible tag characters', 'a\u{e0041}\u{e0042}b', 'ab'],
  ['a lone escape at the end', 'a\u001b', 'a'],
  ['an escape made of what was stripped', '\u001b\u0007[31mx', '[31mx'],
] as const) {
  test(`printing ${what}`, () => {
    const cleaned = stripControls(text);
    assert.equal(cleaned, expected);
    assert.equal(stripControls(cleaned), cleaned, 'what is clean stays as it is');
  });
}

test('one line, cut with an ellipsis and never within a character', () => {
  assert.equal(toLine(' a\n  b\tc ', 10), 'a b c');
  assert.equal(toLine('abcdef', 4), 'abc…');
  assert.equal(toLine('ab👍👍', 4), 'ab…');
  assert.equal(toLine('ab👍👍', 6), 'ab👍👍');
});
