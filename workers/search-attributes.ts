import type { NativeConnection } from '@temporalio/worker';
import { searchAttributes } from '../workflows/names.ts';
import type { Log } from './logger.ts';

/** `IndexedValueType` in Temporal's API. */
const types = { Keyword: 2, Int: 3 } as const;

/**
 * Registers our search attributes if the namespace lacks them: a database from an older version, or a new cluster. If
 * that is forbidden, an administrator must add them, and the log says how.
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
