import type { Policy } from '../policy.ts';
import { readArgv } from './argv.ts';

/** `timeout 5 nice npm test` is three programs deep; nobody needs this many. */
export const maxNested = 16;

/**
 * argv with the fixed arguments of the policy put in: what to start instead of `argv` once it was allowed.
 * Unlisted commands come back unchanged.
 */
export function prepareArgv(
  policy: Policy,
  given: readonly string[],
  depth = 0,
): readonly string[] {
  const argv = toListed(given);
  if (depth > maxNested) return argv;
  const command = policy.commands.get(argv[0] ?? '');
  const reading = command && readArgv(command, argv);
  if (reading?.ok !== true) return argv;
  const nested =
    reading.words.find(({ type }) => type.kind === 'command' || type.kind === 'reader')?.at ??
    argv.length;
  const end = reading.end ?? nested;
  const last = reading.levels.at(-1)?.rule.last ?? [];
  const prepared: string[] = [];
  for (let index = 0; index <= nested; index++) {
    for (const { rule, at } of reading.levels) if (at === index) prepared.push(...rule.fixed);
    if (index === end) prepared.push(...last);
    if (index < nested) prepared.push(argv[index] ?? '');
  }
  return nested < argv.length
    ? [...prepared, ...prepareArgv(policy, argv.slice(nested), depth + 1)]
    : prepared;
}

/** A program that npm has put into the workspace is started, and judged, as `npx` does it. */
export const toListed = (argv: readonly string[]): readonly string[] => {
  const name = /^(?:\.\/)?node_modules\/\.bin\/([\w-]+)$/.exec(argv[0] ?? '')?.[1];
  return name === undefined ? argv : ['npx', name, ...argv.slice(1)];
};
