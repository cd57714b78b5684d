/** Values → text. Pure: no clock, terminal or files. Strips control characters from what models and tools wrote. */
import type { RunEvent } from '../../audit/events/run-event.ts';
import { stripControls, toLine } from '../clean.ts';
import type { Style } from './style.ts';

const width = 160;

/** The lines an event adds to a run's log; empty if another event covers it. */
export function renderEvent(event: RunEvent, style: Style): string[] {
  switch (event.type) {
    case 'run.started':
      return [`${style.bold('Goal')} ${toLine(event.goal, width)}`];
    case 'run.restricted':
      return [`${style.yellow(style.bold('RESTRICTED'))} ${toLine(event.reason, 400)}`];
    case 'git.settings':
      return [
        `${style.yellow('git settings')} of this folder start programs or point elsewhere; the agent's commands ignore them: ${toLine(event.settings.join('; '), 400)}`,
      ];
    case 'workspace.uncovered':
      return [
        style.dim(
          `In no snapshot, so it cannot be reverted: ${toLine(event.paths.join(', '), 300)}`,
        ),
      ];
    case 'plan.updated':
      return [
        `${style.bold(`Plan ${event.round}`)} ${toLine(event.approach, width)}`,
        ...event.steps.map(({ id, title }) => `  ${toLine(id, 8)} ${toLine(title, 100)}`),
      ];
    case 'step.started': {
      const again = event.attempt > 1 ? `, attempt ${event.attempt}` : '';
      return [`${style.bold(`Step ${toLine(event.step, 8)}`)} ${toLine(event.title, 100)}${again}`];
    }
    case 'thought':
      return event.text === '' ? [] : [style.dim(`  ${toLine(event.text, width)}`)];
    case 'decision':
      return event.verdict === 'deny'
        ? [
            `  ${style.red('denied')} ${toLine(event.tool, 40)}: ${toLine(event.reason, width)} (${toLine(event.rule, 60)})`,
          ]
        : [];
    case 'approval.requested':
      return [
        `  ${style.yellow('approval')} ${toLine(event.request, 20)}: ${toLine(`${event.tool} ${event.preview}`, width)}`,
        `    ${toLine(event.reason, width)} (${toLine(event.rule, 60)})`,
        ...(event.refused === undefined ? [] : [`    ${style.red(toLine(event.refused, 300))}`]),
      ];
    case 'approval.answered': {
      const why = event.reason === undefined ? '' : `: ${toLine(event.reason, width)}`;
      const word = event.answer === 'approve' ? 'approved' : 'denied';
      const edited = event.edited === undefined ? '' : ', with other arguments';
      const line = `  ${toLine(event.request, 20)} ${word}${edited} by ${toLine(event.by, 40)}${why}`;
      return event.args === undefined ? [line] : [line, `    ${renderArgs(event.args)}`];
    }
    case 'budget.unpriced':
      return [
        `${style.yellow('No price')} for ${toLine(event.models.join(', '), 200)} in tools.yaml: what they cost is not counted, and the limit of $${event.limit} does not hold for them`,
      ];
    case 'nudge':
      return [`  ${style.yellow('the model was told')}: ${toLine(event.text, width)}`];
    case 'workspace.drift': {
      const done = { adopt: 'keeping those changes', restore: 'reverted', ask: 'asked about' }[
        event.done
      ];
      return [
        `  ${style.yellow('changed outside the run')}, ${done}: ${toLine(event.paths.join(', '), width)}`,
      ];
    }
    case 'step.merged':
      return event.conflicts === undefined
        ? [`${style.bold('Merged')} ${toLine(event.step, 8)} into the workspace`]
        : [
            `${style.yellow('Not merged')}: ${toLine(event.step, 8)} changed the same places as another step: ${toLine(event.conflicts.join(', '), width)}`,
          ];
    case 'run.rewound':
      return [
        `${style.bold('Back')} to the start of ${toLine((event.together ?? [event.step]).join(', '), 80)}, by ${toLine(event.by, 40)}`,
      ];
    case 'input.requested':
      return [
        `  ${style.yellow('question')} ${toLine(event.request, 8)}: ${toLine(event.question, 1_000)}`,
      ];
    case 'said':
      return [
        `  ${toLine(event.by, 40)} ${event.to === undefined ? 'says' : `answers ${toLine(event.to, 8)}`}: ${toLine(event.text, width)}`,
      ];
    case 'tool.output':
      return [];
    case 'tool.finished': {
      const exit = event.exitCode === undefined ? '' : `, exit ${event.exitCode}`;
      const sign = event.ok ? style.green('✓') : style.red('✗');
      const by = event.hook === undefined ? event.tool : `hook ${event.hook}:`;
      const what = toLine(`${by} ${event.preview}`, width);
      const line = `  ${sign} ${what} ${style.dim(`(${renderMs(event.ms)}${exit})`)}`;
      const left =
        event.left === undefined
          ? []
          : [
              `    ${style.yellow('not reverted')} in no snapshot, and changed by an attempt that was interrupted: ${toLine(event.left.join(', '), width)}`,
            ];
      if (event.suspicious === undefined) return [line, ...left];
      const kinds = event.suspicious.map(({ kind }) => kind).join(', ');
      return [
        line,
        ...left,
        `    ${style.yellow('suspicious')} it returned text that tries to give instructions (${toLine(kinds, 100)}); it counts as data`,
      ];
    }
    case 'review': {
      const about = event.step === undefined ? 'of the whole work' : `of ${toLine(event.step, 8)}`;
      const paint = event.verdict === 'accept' ? style.green : style.yellow;
      return [
        `${style.bold('Review')} ${about}: ${paint(event.verdict)} ${toLine(event.notes, width)}`,
      ];
    }
    case 'policy.changed':
      return [`Policy ${toLine(event.policy, 12)} is in force, by ${toLine(event.by, 40)}`];
    case 'run.paused':
      return [`${style.yellow('Paused')} by ${toLine(event.by, 40)}`];
    case 'run.resumed':
      return [`Resumed by ${toLine(event.by, 40)}`];
    case 'run.finished':
      return renderEnd(event, style);
    case 'model.waiting':
    case 'phase':
    case 'tool.requested':
    case 'tool.started':
    case 'budget':
      return [];
  }
}

function renderEnd(event: Extract<RunEvent, { type: 'run.finished' }>, style: Style): string[] {
  const { usage, changes, left = [], status } = event;
  const paint = status === 'done' ? style.green : style.red;
  const tokens = renderCount(usage.inputTokens + usage.outputTokens);
  const facts = [
    plural(usage.steps, 'step'),
    plural(usage.toolCalls, 'tool call'),
    `${tokens} tokens`,
    `${renderMs(usage.workMs)} of work`,
    ...(usage.usd === undefined ? [] : [`$${usage.usd.toFixed(usage.usd < 1 ? 4 : 2)}`]),
  ].join(' · ');
  return [
    `${paint(style.bold(status))} ${facts}`,
    ...(changes.length === 0 ? [] : [`Changed: ${toLine(changes.join(', '), 400)}`]),
    ...(event.ignored === undefined ? [] : [renderIgnored(event.run, event.ignored)]),
    ...(left.length === 0
      ? []
      : [`Changed, and in no snapshot (undo cannot revert it): ${toLine(left.join(', '), 400)}`]),
    ...renderHooks(event),
    ...renderStaged(event),
    ...(event.unheard ?? []).map(
      (text) => `${style.yellow('Said too late')}, no model has read it: ${toLine(text, width)}`,
    ),
  ];
}

const hookMarks = { green: '✓', red: '✗', 'not-run': '–' } as const;

function renderHooks({ hooks = [] }: Extract<RunEvent, { type: 'run.finished' }>): string[] {
  if (hooks.length === 0) return [];
  const each = hooks.map(({ name, state, required }) => {
    const word = required ? '' : ' (optional)';
    return `${hookMarks[state]} ${toLine(name, 40)}${word}`;
  });
  return [`Hooks: ${each.join(' · ')}`];
}

/** Whether a staged run's change has been applied, and how to apply it. */
export function renderStaged({
  staged,
}: Pick<Extract<RunEvent, { type: 'run.finished' }>, 'staged'>): string[] {
  if (staged === undefined) return [];
  const { target, state, reason, promote } = staged;
  if (state === 'promoted') return [`Applied to ${toLine(target, width)}`];
  const why = reason === undefined ? '' : ` (${toLine(reason, width)})`;
  return [`Not in ${toLine(target, width)} yet${why}. Apply it with: ${promote ?? ''}`];
}

/** Changes that are not listed, and how to see them. */
export const renderIgnored = (run: string, count: number, options = ''): string =>
  `${plural(count, 'ignored file')} changed too: agent diff ${run}${options} --ignored`;

/** Arguments on one line: a command as text, everything else as JSON. */
export function renderArgs(args: Readonly<Record<string, unknown>>): string {
  const { command, argv } = args;
  if (typeof command === 'string') return toLine(command, width);
  return toLine(Array.isArray(argv) ? argv.join(' ') : JSON.stringify(args), width);
}

/** `1 step`, `2 steps`. */
export const plural = (count: number, word: string): string =>
  `${count} ${word}${count === 1 ? '' : 's'}`;

/** A run's summary for stdout, with all its lines. */
export const renderSummary = (summary: string): string => stripControls(summary).trimEnd();

/** Milliseconds for people: `12 ms`, `3.4 s`, `2m 5s`. */
export function renderMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return renderAge(ms);
}

/** An age or duration in its two largest units: `3m 12s`. */
export function renderAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (!Number.isFinite(seconds)) return '?';
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const;
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first === -1) return '0s';
  let rest = seconds;
  const parts: string[] = [];
  for (const [name, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${name}`);
  }
  return parts.join(' ');
}

/** A short count: `950`, `12.3k`, `1.2M`. */
export function renderCount(count: number): string {
  if (count < 1_000) return String(count);
  if (count < 999_950) return `${(count / 1_000).toFixed(1)}k`;
  return `${(count / 1_000_000).toFixed(1)}M`;
}
