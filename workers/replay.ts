/**
 * Process entry: replays recorded histories with the current workflow code. `[--json] [--prefixes] <file…>`; a file is
 * Temporal's JSON or a run's log. One line per history: `{file, workflowId, events, ok, error?}` with --json, text
 * without. --prefixes also replays each prefix that ends at a completed workflow task. Exit 1 if one no longer fits.
 */
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Runtime, Worker } from '@temporalio/worker';
import { readSettings } from '../config/environment.ts';
import { formRedactor } from '../policies/secrets/redaction.ts';
import { readBundle } from './bundle.ts';
import { createDataConverter } from './data-converter.ts';
import { HistoryError, readHistories, toPrefixes } from './histories.ts';
import type { RecordedHistory } from './histories.ts';
import { createLogger, toSdkLogger } from './logger.ts';

interface Item {
  readonly file: string;
  readonly source: RecordedHistory;
  readonly history: ReturnType<typeof historyFromJSON>;
}

interface Line {
  readonly file: string;
  readonly workflowId?: string;
  /** Number of events in the history or prefix. */
  readonly events?: number;
  readonly ok: boolean;
  readonly error?: string;
}

const options = process.argv.slice(2).filter((arg) => arg.startsWith('--'));
const files = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const json = options.includes('--json');

const renderLine = ({ file, workflowId, events, ok, error }: Line): string => {
  const name = workflowId === undefined ? file : `${file} ${workflowId}, ${events} events`;
  return ok ? `ok    ${name}` : `FAILS ${name}: ${error?.split('\n')[0]}`;
};
const print = (line: Line): void => {
  process.stdout.write(`${json ? JSON.stringify(line) : renderLine(line)}\n`);
  if (!line.ok) process.exitCode = 1;
};

async function collect(): Promise<Item[]> {
  const items: Item[] = [];
  for (const file of files) {
    try {
      for (const history of await readHistories(file)) {
        const parts = options.includes('--prefixes') ? toPrefixes(history) : [history];
        for (const source of parts) {
          items.push({ file, source, history: historyFromJSON({ events: source.events }) });
        }
      }
    } catch (error) {
      // A file with something else must not stop the others from being replayed.
      if (!(error instanceof HistoryError) && !(error instanceof TypeError)) throw error;
      print({ file, ok: false, error: error.message });
    }
  }
  return items;
}

if (files.length === 0) {
  process.stderr.write(
    'Usage: node workers/replay.ts [--json] [--prefixes] <history.json|run.jsonl …>\n',
  );
  process.exit(2);
}
Runtime.install({
  logger: toSdkLogger(createLogger('replay', 'silent')),
  shutdownSignals: [],
  // We report mismatches once, ourselves.
  telemetryOptions: { logging: { filter: 'OFF' } },
});
const settings = readSettings({ cwd: '/' });
const dataConverter = createDataConverter(settings, formRedactor);
const { codePath } = await readBundle(settings.cacheDir, dataConverter);
const items = await collect();
const results = Worker.runReplayHistories(
  { workflowBundle: { codePath }, replayName: 'dev-agent', dataConverter },
  items.map(({ source, history }) => ({ workflowId: source.workflowId, history })),
);
// In order, one at a time: the SDK asks for the next history when it is done with the last.
let index = 0;
for await (const { error } of results) {
  const item = items[index];
  index += 1;
  if (item === undefined) break;
  const { file, source } = item;
  const found = { file, workflowId: source.workflowId, events: source.events.length };
  print(
    error === undefined ? { ...found, ok: true } : { ...found, ok: false, error: error.message },
  );
}
