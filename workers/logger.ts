import { pino } from 'pino';
import { formRedactor } from '../policies/secrets/redaction.ts';
import type { Mask } from '../policies/secrets/redaction.ts';
import type { Logger as SdkLogger, LogLevel } from '@temporalio/worker';

/** Facts first, then a constant sentence. */
export interface Log {
  debug(facts: object, sentence: string): void;
  info(facts: object, sentence: string): void;
  warn(facts: object, sentence: string): void;
  error(facts: object, sentence: string): void;
}

/** Writes whole redacted lines to stderr, synchronously. */
function toStderr({ mask }: Mask): { write(line: string): void } {
  const out = pino.destination({ dest: 2, sync: true });
  return { write: (line) => void out.write(mask(line)) };
}

/**
 * JSON lines on stderr; stdout is for results. `LOG_LEVEL` sets the minimum level. `redactor`: applied to every line;
 * by form only if absent.
 */
export const createLogger = (
  name: string,
  level = process.env['LOG_LEVEL'] || 'info',
  redactor: Mask = formRedactor,
): Log =>
  pino(
    {
      name,
      level: level !== 'silent' && pino.levels.values[level] === undefined ? 'info' : level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    },
    toStderr(redactor),
  );

const levels = {
  TRACE: 'debug',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const satisfies Record<LogLevel, keyof Log>;

/** Sends the SDK's messages, and those of workflow and activity code, to the same log. */
export function toSdkLogger(log: Log): SdkLogger {
  const write = (level: LogLevel, message: string, facts: object = {}): void =>
    log[levels[level]](facts, message);
  return {
    log: write,
    trace: (message, facts) => write('TRACE', message, facts),
    debug: (message, facts) => write('DEBUG', message, facts),
    info: (message, facts) => write('INFO', message, facts),
    warn: (message, facts) => write('WARN', message, facts),
    error: (message, facts) => write('ERROR', message, facts),
  };
}
