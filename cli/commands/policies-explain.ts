import { readSettings } from '../../config/environment.ts';
import type { Verdict } from '../../policies/action.ts';
import { explainCommand } from '../../policies/explain.ts';
import type { ExplainedPart, Explanation } from '../../policies/explain.ts';
import { builtIn } from '../../tools/built-in.ts';
import { tool as runCommand } from '../../tools/run-command.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import { printJson, printText } from '../render/output.ts';
import { readBundle } from '../../client/policy/bundle.ts';
import { createStyle } from '../render/style.ts';
import type { Style } from '../render/style.ts';
import { folderOption, parseFolder } from '../values.ts';

/** `agent policies explain`: the parse of a command, the rule for each part, and the deciding one. Exit 0. */
export const command = defineCommand({
  options: { directory: folderOption },
  example: 'agent policies explain "cd src && npm test 2>&1 | tail -5"',
  quote: true,
  async run({ args, options, json }) {
    const settings = readSettings();
    const workspace = options.directory ?? parseFolder(settings.workspace);
    const { policy, dir, sha256, preset, tightening } = await readBundle(settings, workspace);
    const [typed = ''] = args;
    const explanation = explainCommand(
      policy,
      builtIn.toAction({ tool: runCommand.name, args: { command: typed }, workspace }),
    );
    if (json) {
      printJson({
        command: typed,
        workspace,
        ...explanation,
        policy: { dir, sha256, preset, tightening: tightening?.dir },
      });
      return 0;
    }
    printText(renderExplanation(explanation, createStyle(process.stdout, process.env)));
    const own = tightening === undefined ? '' : `, tightened by ${tightening.dir}`;
    printText(`\npolicy   ${dir}${own} (preset ${preset}, sha256 ${sha256.slice(0, 12)}…)`);
    return 0;
  },
});

const colourOf = (style: Style): Readonly<Record<Verdict, (text: string) => string>> => ({
  allow: style.green,
  ask: style.yellow,
  deny: style.red,
});

function renderExplanation(explanation: Explanation, style: Style): string {
  const { form, why, parts, verdict, rule, reason, effect, decidedBy } = explanation;
  const colour = colourOf(style);
  const head =
    form === 'plain'
      ? 'Plain words: run as parsed, without a shell.'
      : `A script, run by bash as a whole: ${toLine(why ?? '', 200)}.`;
  const by = decidedBy === undefined ? '' : `, by part ${decidedBy}`;
  return [
    head,
    '',
    ...parts.flatMap((part) => renderPart(part, part.part === decidedBy, style)),
    '',
    `verdict  ${colour[verdict](style.bold(verdict))} (${rule}${by}; effect ${effect})`,
    `reason   ${toLine(reason, 500)}`,
  ].join('\n');
}

const joints: ReadonlyMap<string, string> = new Map([
  ['first', ''],
  ['and', '&& '],
  ['or', '|| '],
  ['then', '; '],
  ['|', '| '],
]);

function renderPart(part: ExplainedPart, decides: boolean, style: Style): string[] {
  const { kind, text, cwd, joined = 'first', runs, verdict, rule } = part;
  const place = cwd === '.' || kind === 'folder' ? '' : style.dim(`  (in ${toLine(cwd, 80)})`);
  const shown = kind === 'script' ? 'the script' : `${joints.get(joined) ?? ''}${text}`;
  const mark = decides ? '→' : ' ';
  const number = String(part.part).padStart(3);
  const verdictText = colourOf(style)[verdict](verdict.padEnd(5));
  return [
    `${mark}${number}  ${verdictText}  ${toLine(shown, 100)}${place}  ${style.dim(rule)}`,
    ...(runs === undefined
      ? []
      : [style.dim(`              runs as: ${toLine(runs.join(' '), 300)}`)]),
  ];
}
