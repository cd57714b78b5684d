import type { Policy } from '../policy.ts';
import { readArgv } from './argv.ts';

/** `timeout 5 nice npm test` nests three programs; nobody needs this many. */
export const maxNested = 16;

/**
 * argv with the policy's fixed arguments inserted: what to start once `argv` is allowed. Unlisted commands are returned
 * unchanged.
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

/** Programs that npm installed into the workspace are judged and started as `npx` would. */
export const toListed = (argv: readonly string[]): readonly string[] => {
  const name = /^(?:\.\/)?node_modules\/\.bin\/([\w-]+)$/.exec(argv[0] ?? '')?.[1];
  return name === undefined ? argv : ['npx', name, ...argv.slice(1)];
};
