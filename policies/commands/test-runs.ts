/** Which commands run tests and report the result in their exit code. Pure. */
import type { CommandLine } from './command.ts';

const runners = new Set(
  'jest vitest mocha ava tap pytest tox nox rspec phpunit ctest bats'.split(' '),
);
/** Programs with a test subcommand. */
const subcommands: Readonly<Record<string, RegExp>> = {
  npm: /^(?:test|t|run(?:-script)? test\S*)$/,
  pnpm: /^(?:test|t|run test\S*)$/,
  yarn: /^(?:test|run test\S*)$/,
  bun: /^(?:test|run test\S*)$/,
  deno: /^test$/,
  cargo: /^(?:test|nextest run)$/,
  go: /^test$/,
  make: /^(?:test|check)$/,
  dotnet: /^test$/,
  mvn: /^(?:test|verify)$/,
  gradle: /^(?:test|check)$/,
  python: /^-m (?:pytest|unittest)$/,
  python3: /^-m (?:pytest|unittest)$/,
};
/** With these flags nothing is tested, or failures are ignored. */
const hollow =
  /^(?:-h|--help|--version|--list\w*|--dry-run|--collect-only|--no-run|--passWithNoTests|--pass-with-no-tests|-n|--just-print)$/;

const nameOf = (word = ''): string => word.slice(word.lastIndexOf('/') + 1);

function runsTests(argv: readonly string[]): boolean {
  if (argv.some((word) => hollow.test(word))) return false;
  const [program, first = '', second = ''] = argv;
  const name = nameOf(program);
  if (runners.has(name)) return true;
  if (name === 'npx' || name === 'bunx') return runners.has(nameOf(first));
  if (name === 'node') return argv.includes('--test');
  if (!Object.hasOwn(subcommands, name)) return false;
  const known = subcommands[name];
  return known?.test(first) === true || known?.test(`${first} ${second}`) === true;
}

/** True if exit code 0 means that tests ran and passed: no pipe, `;`, `||` or script hides their result. */
export const isTestRun = (line: CommandLine): boolean =>
  line.kind === 'plain' &&
  line.pipelines.every(
    ({ when, commands }) => /^(?:first|and)$/.test(when) && commands.length === 1,
  ) &&
  line.pipelines.some(({ commands }) => commands.some(({ argv }) => runsTests(argv)));
