/** Process entry: compiles the workflow code at the first path into the file at the second, atomically. */
import { DefaultLogger, bundleWorkflowCode } from '@temporalio/worker';
import { replaceText, toTempName } from '../config/temporary.ts';

const [workflowsPath, target, failureConverterPath = ''] = process.argv.slice(2);
if (workflowsPath === undefined || target === undefined) {
  process.stderr.write(
    'Usage: node workers/compile.ts <workflows/index.ts> <target.js> [failure-converter.ts]\n',
  );
  process.exit(2);
}
const { code } = await bundleWorkflowCode({
  workflowsPath,
  failureConverterPath: failureConverterPath === '' ? undefined : failureConverterPath,
  logger: new DefaultLogger('WARN'),
});
await replaceText(`${target}.${toTempName()}`, target, code);
