/** Shows a run in the Web UI: current details and search attributes. */
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { RunPhase } from './contract.ts';
import type { Run } from './live-run.ts';
import { limitsOf } from './live-run.ts';

/** Moves the run to a phase and shows it. */
export function enter(run: Run, now: RunPhase): void {
  run.phase.now = now;
  setCurrentDetails(renderDetails(run));
  showAttributes(run);
}

/** Coarse on purpose: each change is an event in history. */
function showAttributes(run: Run): void {
  const { state } = run;
  const { now } = run.phase;
  const step = 'step' in now && now.step !== undefined ? now.step : '';
  const shown = `${toStatus(now)} ${step === '' ? state.round : `${state.round}.${step}`}`;
  if (shown === run.shown) return;
  // Acting and thinking alternate within a step; do not show each change.
  run.shown = shown;
  upsertSearchAttributes({
    AgentStatus: [toStatus(now)],
    AgentStep: [step],
    AgentTokens: [state.usage.inputTokens + state.usage.outputTokens],
    AgentToolCalls: [state.usage.toolCalls],
  });
}

function toStatus(now: RunPhase): string {
  switch (now.phase) {
    case 'closed':
      return now.result.status;
    case 'awaiting-approval':
    case 'awaiting-input':
      return 'needs-approval';
    case 'waiting-for-model':
    case 'waiting-for-workspace':
    case 'paused':
      return now.phase;
    case 'opening':
    case 'planning':
    case 'thinking':
    case 'acting':
    case 'reviewing':
    case 'merging':
    case 'closing':
      return 'running';
  }
}

const marks = { waiting: '☐', running: '▶', reviewing: '◐', merging: '◕', done: '☑' } as const;

function renderDetails(run: Run): string {
  const { state, input } = run;
  const limits = limitsOf(run);
  const tokens = state.usage.inputTokens + state.usage.outputTokens;
  const lines = [
    `**${renderPhase(run.phase.now)}**`,
    '',
    ...state.steps.map((step) => `- ${marks[step.state]} ${step.id} ${step.title}`),
    '',
    `Round ${state.round} · ${state.usage.toolCalls} of ${limits.toolCalls} tool calls · ${tokens} of ${limits.tokens} tokens`,
    `Workspace \`${input.workspace}\``,
  ];
  if (state.thought !== '') lines.push('', `> ${state.thought.replaceAll('\n', ' ')}`);
  return lines.join('\n');
}

function renderPhase(now: RunPhase): string {
  switch (now.phase) {
    case 'thinking':
      return `Thinking about step ${now.step}`;
    case 'acting':
      return `Step ${now.step}: ${now.tool} ${now.preview}`;
    case 'reviewing':
      return now.step === undefined ? 'Reviewing the whole work' : `Reviewing step ${now.step}`;
    case 'merging':
      return `Merging step ${now.step}`;
    case 'awaiting-approval':
      return `Waiting for approval ${now.request.id}: ${now.request.tool} ${now.request.preview} (${now.request.rule})`;
    case 'awaiting-input':
      return `Waiting for an answer to: ${now.question}`;
    case 'waiting-for-model':
      return `Waiting for the model at ${now.address}: ${now.reason}`;
    case 'waiting-for-workspace':
      return `Waiting for run ${now.run} to leave the workspace`;
    case 'closed':
      return `Ended: ${now.result.status}`;
    case 'opening':
    case 'planning':
    case 'paused':
    case 'closing':
      return `${now.phase[0]?.toUpperCase() ?? ''}${now.phase.slice(1)}`;
  }
}
