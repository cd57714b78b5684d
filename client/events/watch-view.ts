import type { Budget } from '../../policies/action.ts';
import type { RunEvent } from '../../audit/events/run-event.ts';

export type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { readonly type: T }>;

export interface WatchStep {
  readonly id: string;
  readonly title: string;
  /** `merging`: accepted, but still in its copy. */
  readonly state: 'waiting' | 'running' | 'merging' | 'done';
  /** Runs beside others, in a copy. */
  readonly lane?: true;
}

export type Acting = EventOf<'tool.requested'> & {
  /** The arguments a person wrote instead. */
  readonly edited?: Readonly<Record<string, unknown>>;
};

/** The state of the live view, folded from events alone, so that everyone who attaches sees the same. */
export interface WatchView {
  readonly started?: EventOf<'run.started'>;
  readonly round: number;
  readonly steps: readonly WatchStep[];
  readonly thought: string;
  /** Current actions, newest last. */
  readonly acting: readonly Acting[];
  /** What the engine is doing otherwise: the latest phase, and the latest of each step. */
  readonly phase?: EventOf<'phase'>;
  readonly phases: Readonly<Record<string, EventOf<'phase'>>>;
  /** The model is unavailable. */
  readonly waitingFor?: {
    /** RFC 3339. */
    readonly since: string;
    /** A retry is in progress. */
    readonly asking: boolean;
  };
  readonly paused: boolean;
  /** Pending approvals, oldest first; parallel steps ask side by side. Runs with a standing order never do. */
  readonly approvals: readonly EventOf<'approval.requested'>[];
  /** Unanswered questions of models, oldest first; `question` is the first. */
  readonly questions: readonly EventOf<'input.requested'>[];
  readonly question?: EventOf<'input.requested'>;
  readonly toolCalls: number;
  readonly tokens: number;
  /** Cost so far, for models that have a price. */
  readonly usd?: number;
  /** Limits almost reached. */
  readonly near?: readonly Budget[];
  readonly finished?: EventOf<'run.finished'>;
}

export const emptyView: WatchView = {
  round: 0,
  steps: [],
  thought: '',
  acting: [],
  phases: {},
  paused: false,
  approvals: [],
  questions: [],
  toolCalls: 0,
  tokens: 0,
};

/** The model has answered. */
const answered = (view: WatchView): WatchView => ({ ...view, waitingFor: undefined });

/** Nothing is running, and nothing is waited for. */
const idle = (view: WatchView): WatchView => ({
  ...noQuestions(answered(view)),
  acting: [],
  approvals: [],
});

/** Removes the question of a step that continued; other steps' questions stay. */
const heard = (view: WatchView, step: string): WatchView =>
  keepQuestions(view, (question) => question.step !== step);

function keepQuestions(
  view: WatchView,
  stays: (question: EventOf<'input.requested'>) => boolean,
): WatchView {
  const { question: _, ...rest } = view;
  const questions = view.questions.filter(stays);
  const [question] = questions;
  return { ...rest, questions, question };
}

const noQuestions = (view: WatchView): WatchView => keepQuestions(view, () => false);

const keepApprovals = (
  view: WatchView,
  stays: (approval: EventOf<'approval.requested'>) => boolean,
): WatchView => ({ ...view, approvals: view.approvals.filter(stays) });

const mark = (view: WatchView, id: string | undefined, state: WatchStep['state']): WatchView => ({
  ...view,
  steps: view.steps.map((step) => (step.id === id ? { ...step, state } : step)),
});

const markStarted = (view: WatchView, { step: id, lane }: EventOf<'step.started'>): WatchView => ({
  ...view,
  steps: view.steps.map((step) =>
    step.id === id
      ? { id, title: step.title, state: 'running', lane: lane ? lane : undefined }
      : step,
  ),
});

function markReviewed(view: WatchView, { step, verdict }: EventOf<'review'>): WatchView {
  if (verdict !== 'accept') return mark(view, step, 'waiting');
  const isLane = view.steps.some(({ id, lane }) => id === step && lane);
  return mark(view, step, isLane ? 'merging' : 'done');
}

/** The edited arguments are the ones that run. */
function markEdited(view: WatchView, { request, args }: EventOf<'approval.answered'>): WatchView {
  const { approvals, acting } = view;
  const asked = approvals.find((approval) => approval.request === request);
  if (args === undefined || asked === undefined) return view;
  return {
    ...view,
    acting: acting.map((each) => (each.call === asked.call ? { ...each, edited: args } : each)),
  };
}

/** The view after one more event. Pure. */
export function foldEvent(view: WatchView, event: RunEvent): WatchView {
  switch (event.type) {
    case 'run.started':
      return { ...view, started: event };
    case 'plan.updated':
      return {
        ...idle(view),
        round: event.round,
        thought: event.approach,
        steps: event.steps.map(({ id, title }) => ({ id, title, state: 'waiting' })),
      };
    case 'step.started':
      return markStarted(heard(view, event.step), event);
    case 'thought':
      return { ...heard(answered(view), event.step), thought: event.text || view.thought };
    case 'tool.requested':
      return { ...view, acting: [...view.acting, event] };
    case 'approval.requested':
      return view.started?.approve === 'ask' || event.refused !== undefined
        ? { ...view, approvals: [...view.approvals, event] }
        : view;
    case 'approval.answered':
      return keepApprovals(markEdited(view, event), ({ request }) => request !== event.request);
    case 'policy.changed': // What waits is judged again, and asked about again if it still has to be.
      return { ...view, approvals: [] };
    case 'input.requested':
      return keepQuestions({ ...view, questions: [...view.questions, event] }, () => true);
    case 'said':
      return keepQuestions(view, ({ request }) => request !== event.to);
    case 'tool.finished':
      return keepApprovals(
        { ...view, acting: view.acting.filter(({ call }) => call !== event.call) },
        ({ call }) => call !== event.call,
      );
    case 'review':
      return markReviewed(answered(view), event);
    case 'step.merged':
      return mark(view, event.step, event.conflicts === undefined ? 'done' : 'waiting');
    case 'budget': {
      const { toolCalls, inputTokens, outputTokens, usd } = event.usage;
      return {
        ...view,
        toolCalls,
        tokens: inputTokens + outputTokens,
        usd: usd ?? view.usd,
        near: event.near ?? view.near,
      };
    }
    case 'model.waiting':
      return {
        ...view,
        waitingFor: { since: view.waitingFor?.since ?? event.time, asking: false },
      };
    case 'phase': {
      const { waitingFor, phases } = view;
      return {
        ...view,
        phase: event,
        phases: { ...phases, [event.step ?? '']: event },
        waitingFor: waitingFor && { ...waitingFor, asking: true },
      };
    }
    case 'run.rewound': {
      const began = event.together ?? [event.step];
      const at = view.steps.findIndex(({ id }) => began.includes(id));
      const steps = view.steps.map((step, index) =>
        index < at ? step : { ...step, state: 'waiting' as const },
      );
      return { ...idle(view), steps };
    }
    case 'run.paused':
      return { ...view, paused: true };
    case 'run.resumed':
      return { ...view, paused: false };
    case 'run.finished':
      return { ...idle(view), finished: event };
    case 'nudge':
    case 'budget.unpriced':
    case 'run.restricted':
    case 'git.settings':
    case 'workspace.uncovered':
    case 'decision':
    case 'tool.started':
    case 'tool.output':
    case 'workspace.drift':
      return view;
  }
}
