/**
 * Process entry: runs one tool call by hand. Reads `{tool, args, workspace, secrets?}` from stdin, prints `{verdict,
 * ok, output, error, exitCode, rule, reason}`; exit 0 done, 1 failed, 3 needs approval, 7 denied, 78 configuration.
 * `--list` prints the tools instead.
 */
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { readSettings } from '../config/environment.ts';
import { prepareStateFolder } from '../config/state-folder.ts';
import { exitForConfiguration } from './configuration.ts';
import { createLogger } from './logger.ts';
import { createSecrets, parseSecrets } from './secrets.ts';

interface Order {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly workspace: string;
  /** What to redact, as `{name, value}`; passed here because others can read an environment. */
  readonly secrets?: unknown;
}

const fail = (message: string, exitCode: number): never => {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
};

const parseOrder = (input: string): Order => {
  const expected = 'Expected {"tool": text, "args": object, "workspace": absolute path} on stdin';
  let order: Partial<Order>;
  try {
    order = JSON.parse(input) as Partial<Order>;
  } catch (error) {
    return fail(`${expected}, got text that is not JSON: ${(error as Error).message}.`, 2);
  }
  const { tool, args, workspace, secrets } = order;
  const isObject = typeof args === 'object' && args !== null && !Array.isArray(args);
  return typeof tool === 'string' && isObject && typeof workspace === 'string'
    ? { tool, args, workspace, secrets }
    : fail(
        `${expected}, got ${JSON.stringify({ ...order, secrets: undefined }).slice(0, 200)}.`,
        2,
      );
};

async function printTools(): Promise<void> {
  const { builtInTools } = await import('../tools/built-in.ts');
  const tools = builtInTools.map(({ name, description, parameters }) => ({
    name,
    description,
    parameters,
  }));
  process.stdout.write(`${JSON.stringify(tools)}\n`);
}

async function invoke({ secrets, ...order }: Order): Promise<number> {
  const settings = readSettings();
  prepareStateFolder(settings.folders.root);
  const [{ invokeTool }, { createDotenvReader }, { createHistoryReader }] = await Promise.all([
    import('../activities/act/act.ts'),
    import('../activities/files/dotenv.ts'),
    import('../activities/files/history-secrets.ts'),
  ]);
  const { createAudit, readWorkspaceDependencies } = await import('./activities.ts');
  const { openPolicyByHand } = await import('./policy.ts');
  const { redactor } = createSecrets(process.env, settings.secrets?.split(','));
  redactor.add([...parseSecrets(secrets), ...createDotenvReader()(order.workspace)]);
  const log = createLogger('invoke', 'warn', redactor);
  const dependencies = await readWorkspaceDependencies(
    settings,
    { log, redactor, audit: createAudit(settings, redactor) },
    openPolicyByHand,
  );
  if (dependencies.tools.find(order.tool)?.section === 'commands') {
    const readHistory = createHistoryReader(join(dependencies.spillDir, 'history.git'));
    redactor.add(await readHistory(order.workspace));
  }
  const result = await invokeTool(dependencies, { run: 'tools-invoke', ...order });
  const { verdict, rule, reason, ok, exitCode } = result;
  const answer = {
    verdict,
    ok,
    output: ok ? result.text : '',
    error: ok ? '' : result.text,
    exitCode,
    rule,
    reason,
  };
  process.stdout.write(`${redactor.mask(JSON.stringify(answer))}\n`);
  if (verdict === 'allow') return ok ? 0 : 1;
  return verdict === 'ask' ? 3 : 7;
}

if (process.argv.includes('--list')) await printTools();
else
  process.exitCode = await invoke(parseOrder(await text(process.stdin))).catch(
    exitForConfiguration,
  );
