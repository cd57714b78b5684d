import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import {
  countPlaceholders,
  createRedactor,
  formRedactor,
} from '../../policies/secrets/redaction.ts';
import { createRedactionStream } from '../../policies/secrets/redaction-stream.ts';
import { isSecretName, pickSecrets } from '../../policies/secrets/values.ts';
import { hexNoise, noise, privateKey, samples } from './secrets.ts';

const mask = (text: string): string => formRedactor.mask(text);

suite('secrets that show by their form', () => {
  for (const [kind, secret] of samples) {
    test(`${kind}: ${secret.slice(0, 8)}…`, () => {
      for (const [before, after] of [
        ['', ''],
        ['say "', '" loud'],
        ["key='", "';"],
        ['x ', '\n'],
        ['(', ')'],
        ['{"a":"line\\n', '\\nnext"}'],
      ] as const) {
        // A bot's number stands before its token.
        const number = kind === 'telegram-token' ? '123456789' : '';
        const masked = mask(`${before}${number}${secret}${after}`);
        assert.ok(!masked.includes(secret.slice(4)), masked);
        assert.ok(masked.includes('[secret:'), masked);
        assert.ok(masked.startsWith(before) && masked.endsWith(after), masked);
      }
      assert.equal(
        mask(`see ${kind === 'telegram-token' ? '123456789' : ''}${secret}.`).includes(
          `[secret:${kind}]`,
        ),
        true,
      );
    });
  }

  test('a private key keeps its lines, header and footer', () => {
    for (const kind of ['RSA ', 'EC ', 'OPENSSH ', 'ENCRYPTED ', '']) {
      const key = privateKey(kind);
      const masked = mask(`before\n${key}\nafter`);
      assert.equal(masked.split('\n').length, key.split('\n').length + 2);
      assert.match(masked, /-----BEGIN .*PRIVATE KEY-----\n(\[secret:private-key\]\n){12}-----END/);
    }
  });

  test('a private key in JSON, in JSON within JSON, and cut off', () => {
    const key = privateKey();
    for (const text of [JSON.stringify({ key }), JSON.stringify(JSON.stringify({ key }))]) {
      const masked = mask(text);
      for (const line of key.split('\n').slice(1, -1)) assert.ok(!masked.includes(line));
      assert.equal(typeof JSON.parse(masked), typeof JSON.parse(text));
    }
    const cut = mask(key.slice(0, 400));
    for (const line of key.split('\n').slice(1, 5)) assert.ok(!cut.includes(line), cut);
  });

  for (const [text, expected] of [
    ['postgres://app:hunter2hunter2@db/x', 'postgres://app:[secret:url-password]@db/x'],
    ['https://:pa55-w0rd@host', 'https://:[secret:url-password]@host'],
    [
      'https://hooks.slack.com/services/T01234567/B01234567/abcdefghijklmnopqrstuvwx',
      'https://hooks.slack.com/services/[secret:webhook]',
    ],
    ['password = "Tr0ub4dor&3x"', 'password = "[secret:assigned]"'],
    ["const apiKey = 'q9XvT2mLw8ZrB4nK';", "const apiKey = '[secret:assigned]';"],
    ['API_KEY: q9XvT2mLw8ZrB4nKc7', 'API_KEY: [secret:assigned]'],
    ['export DB_PASSWORD=q9XvT2mLw8ZrB4nK', 'export DB_PASSWORD=[secret:assigned]'],
    ['{"clientSecret":"q9XvT2mLw8ZrB4nK"}', '{"clientSecret":"[secret:assigned]"}'],
    [
      String.raw`"{\"token\": \"q9XvT2mLw8ZrB4nK\"}"`,
      String.raw`"{\"token\": \"[secret:assigned]\"}"`,
    ],
    ['Authorization: Bearer q9XvT2mLw8ZrB4nK', 'Authorization: Bearer [secret:assigned]'],
    ['Authorization: Basic dXNlcjpodW50ZXIyaHVudGVyMg==', 'Authorization: Basic [secret:assigned]'],
    ['{"password": "hunter2hunter"}', '{"password": "[secret:assigned]"}'],
    ['{"db_password":"Summer!24"}', '{"db_password":"[secret:assigned]"}'],
    [
      String.raw`"{\"userPassword\": \"hunter2\"}"`,
      String.raw`"{\"userPassword\": \"[secret:assigned]\"}"`,
    ],
    ["{'passwd': 'abc123xyz'}", "{'passwd': '[secret:assigned]'}"],
    ['+  "smtp.password": "pa55word-77",', '+  "smtp.password": "[secret:assigned]",'],
    ['login --password q9XvT2mLw8Zr', 'login --password [secret:assigned]'],
    [
      'aws_secret_access_key = wJa1rXUtnFEMI/K7MDENG/bPxRfiCYzA8mPLqKeY',
      'aws_secret_access_key = [secret:assigned]',
    ],
    [`api_key = ${hexNoise(32)}`, 'api_key = [secret:assigned]'],
  ] as const)
    test(text, () => assert.equal(mask(text), expected));
});

suite('what only looks like a secret stays', () => {
  for (const text of [
    `commit ${hexNoise(40)}`,
    `sha256:${hexNoise(64)}`,
    `token: ${hexNoise(40)}`,
    `"cacheKey": "${hexNoise(64)}"`,
    `passwordHash = "${hexNoise(64)}"`,
    'token = "550e8400-e29b-41d4-a716-446655440000"',
    `"integrity": "sha512-${noise(86)}=="`,
    `data:image/png;base64,${noise(400)}`,
    `<img src="data:image/png;base64,${noise(64)}">`,
    'const token = readToken();',
    '"password": "required"',
    '"password": "required|min:8"',
    '"password": "Password"',
    '"password": "Passwort?"',
    '"password": "Forgot your password?"',
    '"password": "#password-1"',
    '"password": "${DB_PASSWORD_1}"',
    '"password": "********"',
    '"password": "example-1"',
    '"passwordHash": "hunter2hunter"',
    '"password_field": "input-1"',
    '{"type": "password", "minLength": "8"}',
    "password: 'input-1',",
    'password: string;',
    'apiKey: process.env.OPENAI_API_KEY,',
    'apiKey: settings.credentials.apiKey2,',
    'PASSWORD=${DB_PASSWORD}',
    'token: {{ secrets.GITHUB_TOKEN }}',
    'api_key: "your-api-key-goes-here"',
    'api_key = "xxxxxxxxxxxxxxxxxxxx"',
    'const tokens = usage.total_tokens;',
    'secret: /run/secrets/db_password_1',
    'maxTokens: 200000000000',
    'postgres://postgres:postgres@localhost/test',
    'https://user:${PASSWORD}@host',
    'http://127.0.0.1:1234/v1',
    'The key-value store: key-by-key iteration',
    'sk-learn-extensions-and-more',
    'npm_config_loglevel=error npm_lifecycle_event',
    'createModelActivities(dependencies)',
    '-----BEGIN PRIVATE KEY----- is how a key begins, and -----END PRIVATE KEY----- how it ends',
    '[secret:openai-key] and password = "[secret:assigned]"',
  ])
    test(text.slice(0, 60), () => assert.equal(mask(text), text));
});

suite('values that are known', () => {
  const value = 'pässword "with" spaces/and+more';
  const redactor = createRedactor([{ name: 'DB_PASSWORD', value }]);

  for (const [name, text] of [
    ['as it is', value],
    ['URL-encoded', encodeURIComponent(value)],
    ['as a form field', new URLSearchParams({ v: value }).toString().slice(2)],
    ['in JSON', JSON.stringify(value).slice(1, -1)],
    ['in JSON within JSON', JSON.stringify(JSON.stringify(value)).slice(3, -3)],
    ['as bytes', Buffer.from(value).toString('latin1')],
    ['in base64', Buffer.from(value).toString('base64').replace(/=+$/, '')],
    ['in base64 behind one byte', Buffer.from(`:${value}`).toString('base64').slice(2, 44)],
    ['in base64 behind two bytes', Buffer.from(`u:${value}`).toString('base64').slice(3, 45)],
    ['in base64url', Buffer.from(value).toString('base64url')],
  ] as const)
    test(name, () => {
      const { text: masked, count } = redactor.redact(`<${text}>`);
      assert.ok(count >= 1, masked);
      assert.ok(masked.includes('[secret:DB_PASSWORD]'), masked);
      assert.ok(masked.length - '[secret:DB_PASSWORD]'.length <= 5, masked);
    });

  test('are taken out from the moment they are told', () => {
    const later = createRedactor();
    assert.equal(later.mask('say correct-horse-battery'), 'say correct-horse-battery');
    later.add([{ name: 'PASS', value: 'correct-horse-battery' }]);
    assert.equal(later.mask('say correct-horse-battery'), 'say [secret:PASS]');
  });

  test('shorter than 8 characters they are part of ordinary text', () => {
    assert.equal(createRedactor([{ name: 'PIN', value: '1234567' }]).mask('1234567'), '1234567');
  });

  test('what repeats itself, what overlaps, and what is no well-formed text', () => {
    const many = createRedactor([
      { name: 'A', value: `${'ab'.repeat(20)}c` },
      { name: 'B', value: 'cababab1' },
      { name: 'C', value: 'lone \ud800 surrogate' },
    ]);
    assert.equal(many.mask(`${'ab'.repeat(30)}cababab1.`), `${'ab'.repeat(10)}[secret:A].`);
    assert.equal(many.mask(`${'ab'.repeat(30)}d`), `${'ab'.repeat(30)}d`);
    assert.equal(many.mask('a lone \ud800 surrogate'), 'a [secret:C]');
  });

  test('any of thousands is found at any place', () => {
    const texts = Array.from({ length: 3_000 }, (_, at) => noise(8 + (at % 40), at + 1));
    const all = createRedactor(texts.map((text, at) => ({ name: `V${at}`, value: text })));
    for (const [at, text] of texts.entries())
      assert.ok(!all.mask(`${'.'.repeat(at % 11)}${text}-`).includes(text), text);
  });

  test('a secret that is part of another goes with it', () => {
    const both = createRedactor([
      { name: 'A', value: 'abcdefgh' },
      { name: 'B', value: 'abcdefgh-and-more' },
    ]);
    assert.equal(both.mask('abcdefgh-and-more abcdefgh'), '[secret:B] [secret:A]');
  });

  test('variables are picked by their names, unless they hold a path, a number or a word', () => {
    for (const name of [
      'OPENAI_API_KEY',
      'GITHUB_TOKEN',
      'DB_PASSWORD',
      'aws_secret_access_key',
      'PGPASS'.replace('PG', 'PG_'),
    ])
      assert.ok(isSecretName(name), name);
    for (const name of [
      'PATH',
      'PWD',
      'SSH_AUTH_SOCK',
      'KEYBOARD',
      'MONKEY',
      'TOKENIZER',
      'KEY_FILE',
      'HOME',
    ])
      assert.ok(!isSecretName(name), name);
    const found = pickSecrets(
      {
        API_KEY: 'q9XvT2mLw8Zr',
        OTHER_KEY: '/etc/ssl/key.pem',
        THIRD_KEY: 'development',
        TOKEN: 'short',
        PLAIN: 'told by the operator',
      },
      ['PLAIN'],
    );
    assert.deepEqual(
      found.map(({ name }) => name),
      ['API_KEY', 'PLAIN'],
    );
  });
});

const secrets = [...samples.map(([, text]) => text), privateKey(), 'Kn0wn-value-12345'];
const secret = fc.constantFrom(...secrets);
const plain = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    ' ',
    '\n',
    'password = "',
    '"',
    'const x = 1;\n',
    'token: ',
    '{"a":',
    'https://u:',
    '@h/',
    '-----BEGIN PRIVATE KEY-----',
    '-----END',
    'Authorization: Bearer ',
    'four words with spaces',
    `r8_${noise(37)}`,
    '\\',
    '=',
  ),
);
const parts = fc.array(
  fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: secret }),
  { maxLength: 12 },
);
const mixed = parts.map((all) => all.join(''));
const knowing = createRedactor([
  { name: 'KNOWN', value: 'Kn0wn-value-12345' },
  { name: 'SPACED', value: 'four words with spaces' },
]);

suite('for any text', () => {
  test('masking twice is masking once', () => {
    fc.assert(
      fc.property(mixed, (text) => {
        const once = knowing.mask(text);
        assert.equal(knowing.mask(once), once);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a number is no secret, however it is written', () => {
    for (const text of ['{"pwd":-5.741595599623e-298}', 'token: 1.2345678901234567E+21'])
      assert.equal(knowing.mask(text), text);
  });

  test('JSON stays JSON of the same shape', () => {
    const toShape = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(toShape)
        : typeof value === 'object' && value !== null
          ? Object.values(value).map(toShape)
          : typeof value;
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.array(mixed), (value, texts) => {
        const whole = { value, texts, again: JSON.stringify(texts) };
        assert.deepEqual(toShape(JSON.parse(knowing.mask(JSON.stringify(whole)))), toShape(whole));
      }),
      { numRuns: 2_000 },
    );
  });

  test('in pieces it is masked as in one', () => {
    fc.assert(
      fc.property(mixed, fc.array(fc.integer({ min: 0, max: 400 })), (text, cuts) => {
        const stream = createRedactionStream(knowing);
        const inside = cuts.map((cut) => Math.min(cut, text.length)).toSorted((a, b) => a - b);
        const borders = [0, ...inside, text.length];
        const out = borders
          .slice(1)
          .map((end, index) => stream.write(text.slice(borders[index], end)));
        const all = out.join('') + stream.end();
        const whole = knowing.mask(text);
        for (const piece of secrets.flatMap((one) => one.split('\n')))
          assert.ok(!all.includes(piece) || whole.includes(piece), `${piece} in ${all}`);
        assert.equal(all, whole);
      }),
      { numRuns: 3_000 },
    );
  });
});

suite('text in pieces', () => {
  test('letter by letter, no piece has a part of a secret', () => {
    for (const [, text] of samples) {
      const stream = createRedactionStream(formRedactor);
      const lead = text.startsWith(':') ? '123456789' : '';
      const out = `see ${lead}${text} there`.split('').map((letter) => stream.write(letter));
      const all = out.join('') + stream.end();
      assert.equal(all, mask(`see ${lead}${text} there`));
      assert.equal(stream.count, 1);
    }
  });

  test('ordinary words are given on at once', () => {
    const stream = createRedactionStream(formRedactor);
    assert.equal(stream.write('I look at the folder '), 'I look at the folder ');
    assert.equal(stream.write('fir'), '');
    assert.equal(stream.write('st, then'), 'first, ');
    assert.equal(stream.end(), 'then');
  });

  test('a value in one endless line is found behind its name, wherever the line is parted', () => {
    const value = 'q9XvT2mLw8ZrB4nKc7';
    for (let before = 24_000; before < 34_000; before += 97) {
      const stream = createRedactionStream(formRedactor);
      const line = `${'x,'.repeat(before / 2)}{"api_key":"${value}"}${',y'.repeat(20_000)}`;
      const out = [stream.write(line.slice(0, 40_000)), stream.write(line.slice(40_000))];
      assert.ok(!(out.join('') + stream.end()).includes(value), String(before));
    }
  });

  test('a key whose end is near is masked to its end, though a known value has spaces', () => {
    const spaced = createRedactor([{ name: 'SPACED', value: 'many words '.repeat(30) }]);
    const key = privateKey();
    for (let cut = 0; cut < key.length; cut += 13) {
      const stream = createRedactionStream(spaced);
      const all = stream.write(key.slice(0, cut)) + stream.write(key.slice(cut)) + stream.end();
      assert.equal(all, spaced.mask(key), String(cut));
    }
  });

  test('one endless line needs no endless memory', () => {
    const stream = createRedactionStream(formRedactor);
    let given = 0;
    for (let at = 0; at < 100; at++) given += stream.write('a'.repeat(10_000)).length;
    assert.ok(given > 900_000, String(given));
    assert.equal(given + stream.end().length, 1_000_000);
  });
});

test('placeholders are counted by kind', () => {
  assert.deepEqual(
    [...countPlaceholders('[secret:a] [secret:b.c] [secret:a] [secret:]')],
    [
      ['[secret:a]', 2],
      ['[secret:b.c]', 1],
    ],
  );
});
