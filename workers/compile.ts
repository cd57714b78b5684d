/** Process entry: compiles the workflow code at the first path into the file at the second, which appears whole or not at all. */
import { open, rename } from 'node:fs/promises';
import { DefaultLogger, bundleWorkflowCode } from '@temporalio/worker';

const [workflowsPath, target, failureConverterPath = ''] = process.argv.slice(2);
if (workflowsPath === undefined || target === undefined) {
  process.stderr.write(
    'Usage: node workers/compile.ts <workflows/index.ts> <target.js> [failure-converter.ts]\n',
  );
  process.exit(2);
}
const { code } = await bundleWorkflowCode({
  workflowsPath,
  ...(failureConverterPath === '' ? {} : { failureConverterPath }),
  logger: new DefaultLogger('WARN'),
});
const temp = `${target}.${process.pid}.tmp`;
const handle = await open(temp, 'w', 0o600);
try {
  await handle.writeFile(code);
  await handle.datasync();
} finally {
  await handle.close();
}
await rename(temp, target);
