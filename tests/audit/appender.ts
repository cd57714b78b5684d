/** Child process of the tests: appends one record after the other and prints each once it is acknowledged. */
import { writeSync } from 'node:fs';

import { dirname } from 'node:path';

import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { openChain } from '../../audit/record/chain.ts';
import { createAuditLog } from '../../audit/record/log.ts';

const [what, path = '', name = '', count = '0', identity = 'test'] = process.argv.slice(2);

const say = (text: string): void => {
  writeSync(1, `${text}\n`);
};

if (what === 'chain') {
  const chain = await openChain(path, identity, createAnchors(dirname(path)));
  for (let n = 1; n <= Number(count); n++) {
    const [head] = await chain.append([
      { kind: 'event', writer: name, n, fill: 'x'.repeat(n % 5000) },
    ]);
    say(`${n} ${head?.hash}`);
  }
  await chain.close();
} else {
  const log = createAuditLog(path);
  for (let n = 1; n <= Number(count); n++) {
    const { hash } = await log.append({ kind: 'policy', time: String(n), sha256: '', by: name });
    say(`${n} ${hash}`);
  }
  await log.close();
}
