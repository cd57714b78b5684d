/** Tests as a user who is not the superuser. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('as-nobody.ts', import.meta.url));
const nobody = 65534;

/** Runs a case of `as-nobody.ts`; as whoever runs the tests where that is not the superuser. */
export function runAsNobody(test: TestContext, name: string): unknown {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-nobody-')));
  test.after(() => {
    execFileSync('chmod', ['-R', 'u+rwx', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  chmodSync(folder, 0o777);
  const said = execFileSync(process.execPath, [script, name, folder], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: folder },
    uid: process.getuid?.() === 0 ? nobody : undefined,
    gid: process.getuid?.() === 0 ? nobody : undefined,
  });
  return JSON.parse(said);
}
