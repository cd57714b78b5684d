import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isPrintingAwk, isPrintingSed } from '../../policies/commands/filters.ts';

suite('sed scripts that only print', () => {
  const harmless = [
    'p',
    '1,5p',
    '$p',
    '1~2p',
    '/a/p',
    '/a/,/b/p',
    '/a/,+3p',
    '10q',
    '1d;$d',
    '2!p',
    '=',
    'N;P;D',
    's/a/b/',
    's/a/b/g',
    's/a/b/2gI',
    's|/usr|/opt|',
    String.raw`s/\//x/`,
    's#a#b#;s/c/d/p',
    'y/abc/xyz/',
    '/a/{p;}',
    '/a/{s/b/c/;p}',
    '{p}',
    's/[a-z]/x/g',
    's/[]]/x/',
    '/^$/d',
    '1,3s/^/> /',
    '5,10p\n12p',
  ];
  for (const script of harmless)
    test(JSON.stringify(script), () => assert.ok(isPrintingSed(script)));
  const others = [
    '',
    ' ',
    ';',
    'e',
    'e id',
    '1e id',
    '1!e id',
    'w out',
    '1w out',
    'r /etc/passwd',
    'R x',
    'W x',
    'i\\x',
    's/a/b/e',
    's/a/b/ge',
    's/a/b/w out',
    's/a/b/pw out',
    's/a/b/gw/dev/stdout',
    'p;e id',
    'p\ne id',
    '$r/etc/passwd',
    '{p;e}',
    '{p',
    'p}',
    's/a/b',
    's/a',
    'y/a/b',
    '#n',
    'p # x',
    'b',
    't',
    ':a',
    'a text',
    's/[/]/x/;e id;#/',
    '/[/]e id;#/p',
    's/a/[/]/e',
    String.raw`s/a/b\/e`,
    's a b e',
    's\na\nb\ne',
    'c\\x',
    'p p',
    '1,p',
    ',5p',
    '1,2,3p',
    'pe',
    'qe',
    'v',
    'F x',
    String.raw`\,a,e id`,
    's/a/b/;;;e',
    'sxaxbxe',
  ];
  for (const script of others)
    test(`not ${JSON.stringify(script)}`, () => assert.ok(!isPrintingSed(script)));
});

suite('awk programs that only print', () => {
  const harmless = [
    '{print $1}',
    'NR>1 {print}',
    '/a|b/',
    'END {print NR}',
    '{a[$1]++} END {for (k in a) print k, a[k]}',
  ];
  for (const program of harmless)
    test(JSON.stringify(program), () => assert.ok(isPrintingAwk(program)));
  const others = [
    'BEGIN{system("id")}',
    '{print > "x"}',
    '{print >> "x"}',
    '{print | "sh"}',
    '"id" | getline',
    '@load "x"',
    '{getline < "x"}',
    '{print ENVIRON["X"]}',
    'BEGIN{ARGV[1]="/etc/passwd"}',
    '@f(1)',
    'BEGIN{printf "x" > "y"}',
    '/"/ {system("id")} /"/',
    '{print "a;"; print "b" > "c"}',
    'BEGIN{pri\\\nnt "x"}',
    '"sh" |& getline',
    '{close("x")}',
  ];
  for (const program of others)
    test(`not ${JSON.stringify(program)}`, () => assert.ok(!isPrintingAwk(program)));
});
