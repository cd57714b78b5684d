import type { NativeConnection } from '@temporalio/worker';
import { searchAttributes } from '../workflows/names.ts';
import type { Log } from './logger.ts';

/** Numbers of `IndexedValueType` in Temporal's API. */
const types = { Keyword: 2, Int: 3 } as const;

/**
 * Registers those of our search attributes the namespace lacks: a database from an older version, or a cluster that
 * never saw us. Where it may not, runs still work only if an administrator adds them, so the log says how.
 */
export async function addSearchAttributes(
  connection: NativeConnection,
  namespace: string,
  log: Log,
): Promise<void> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace,
    });
    const missing = Object.entries(searchAttributes).filter(
      ([name]) => !Object.hasOwn(customAttributes, name),
    );
    if (missing.length === 0) return;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(([name, type]) => [name, types[type]])),
    });
    log.info({ added: missing.map(([name]) => name) }, 'search attributes registered');
  } catch (error) {
    const command = Object.entries(searchAttributes).map(
      ([name, type]) => `--name ${name} --type ${type}`,
    );
    log.warn(
      { reason: (error as Error).message, command },
      'search attributes cannot be checked; add them with: temporal operator search-attribute create',
    );
  }
}
