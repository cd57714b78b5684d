/** Process entry: downloads the Temporal CLI with the SDK's downloader into the folder given as the first argument. */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [downloadDir, version] = process.argv.slice(2);
if (downloadDir === undefined || version === undefined) {
  process.stderr.write('Usage: node workers/stack/download.ts <folder> <version>\n');
  process.exit(2);
}
try {
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', downloadDir, version }, ui: false },
  });
  await environment.teardown();
  process.exit(0);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
