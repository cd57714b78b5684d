/** What a command can leave on a file beside its content, in the sandbox of this machine. */
import assert from 'node:assert/strict';
import { lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makePlace, makeShell, script } from './fixture.ts';

/** Every way a program has to set a mode, from Python, which calls what it is told to. */
const attempt = `import os, stat
def attempt(what):
    try: what()
    except OSError as error: print(error.strerror)
def make(path, mode):
    os.umask(0)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, mode))
attempt(lambda: os.chmod('a', 0o4755))
attempt(lambda: os.fchmod(os.open('b', os.O_RDWR), 0o6755))
attempt(lambda: os.chmod('dir', 0o2777))
attempt(lambda: make('c', 0o4755))
attempt(lambda: os.mknod('d', stat.S_IFREG | 0o6755))
attempt(lambda: os.setxattr('a', 'user.left', b'1'))
attempt(lambda: os.setxattr('a', 'system.posix_acl_access', b'\\x02\\0\\0\\0'))
os.chmod('b', 0o700)
`;

test('a command sets no set-id bit, no attribute and no access list, wherever it writes', async (t) => {
  const place = makePlace(t);
  for (const name of ['a', 'b'])
    writeFileSync(join(place.root, name), '#!/bin/sh\n', { mode: 0o644 });
  writeFileSync(join(place.root, 'try.py'), attempt);
  const shell = await makeShell(place);
  if (shell.sandbox.kind !== 'bubblewrap') return;
  const { text } = await shell(
    script(
      'mkdir -p dir node_modules && python3 try.py; cp /usr/bin/true node_modules/t; chmod u+s node_modules/t; cp -p /usr/bin/passwd p 2>/dev/null; ls',
    ),
  );
  assert.equal(text.match(/Operation not permitted/g)?.length, 6, text);
  assert.equal(text.match(/not supported/g)?.length, 2, text);
  const left = readdirSync(place.root, { recursive: true }).filter(
    (name) => (lstatSync(join(place.root, String(name))).mode & 0o6000) !== 0,
  );
  assert.deepEqual(left, []);
  assert.equal(lstatSync(join(place.root, 'b')).mode & 0o777, 0o700);
});

test('programs that copy, unpack and build do not miss attributes', async (t) => {
  const place = makePlace(t);
  const shell = await makeShell(place);
  if (shell.sandbox.kind !== 'bubblewrap') return;
  const { exitCode, text } = await shell(
    script(
      'set -e; mkdir x && echo 1 > x/a && chmod 1777 x && cp -a x y && tar -cf t.tar x && mkdir z && tar -C z -xf t.tar && git init -q g && cd g && cp ../x/a . && git add a && git -c user.name=a -c user.email=a@b commit -qm a && cat a',
    ),
  );
  assert.equal(exitCode, 0, text);
});
