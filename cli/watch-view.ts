import type { Meter } from '../policies/action.ts';
import type { RunEvent } from '../audit/run-event.ts';

export type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { readonly type: T }>;

export interface WatchStep {
  readonly id: string;
  readonly title: string;
  /** `merging`: accepted, and still in its copy. */
  readonly state: 'waiting' | 'running' | 'merging' | 'done';
  /** Runs beside others, in a copy. */
  readonly lane?: true;
}

/** What the live view shows, folded from events only: the same for whoever attaches, whenever. */
export interface WatchView {
  readonly started?: EventOf<'run.started'>;
  readonly round: number;
  readonly steps: readonly WatchStep[];
  readonly thought: string;
  /** The action under way. */
  readonly acting?: EventOf<'tool.requested'>;
  readonly waitingFor?: EventOf<'model.waiting'>;
  readonly paused: boolean;
  /** Waits for a person's answer; runs with a standing order never do. */
  readonly approval?: EventOf<'approval.requested'>;
  readonly question?: EventOf<'input.requested'>;
  readonly toolCalls: number;
  readonly tokens: number;
  /** What it cost, as far as models have a price. */
  readonly usd?: number;
  /** Limits that come to their end. */
  readonly near?: readonly Meter[];
  readonly finished?: EventOf<'run.finished'>;
}

export const emptyView: WatchView = {
  round: 0,
  steps: [],
  thought: '',
  paused: false,
  toolCalls: 0,
  tokens: 0,
};

type Field = 'acting' | 'waitingFor' | 'approval' | 'question';

const without = (view: WatchView, ...fields: readonly Field[]): WatchView => {
  const next: { -readonly [K in keyof WatchView]: WatchView[K] } = { ...view };
  for (const field of fields) delete next[field];
  return next;
};

const mark = (view: WatchView, id: string | undefined, state: WatchStep['state']): WatchView => ({
  ...view,
  steps: view.steps.map((step) => (step.id === id ? { ...step, state } : step)),
});

const markStarted = (view: WatchView, { step: id, lane }: EventOf<'step.started'>): WatchView => ({
  ...view,
  steps: view.steps.map((step) =>
    step.id === id ? { id, title: step.title, state: 'running', ...(lane ? { lane } : {}) } : step,
  ),
});

function markReviewed(view: WatchView, { step, verdict }: EventOf<'review'>): WatchView {
  if (verdict !== 'accept') return mark(view, step, 'waiting');
  const isLane = view.steps.some(({ id, lane }) => id === step && lane);
  return mark(view, step, isLane ? 'merging' : 'done');
}

/** The view after one more event. Pure. */
export function foldEvent(view: WatchView, event: RunEvent): WatchView {
  switch (event.type) {
    case 'run.started':
      return { ...view, started: event };
    case 'plan.updated':
      return {
        ...without(view, 'waitingFor'),
        round: event.round,
        thought: event.approach,
        steps: event.steps.map(({ id, title }) => ({ id, title, state: 'waiting' })),
      };
    case 'step.started':
      return markStarted(without(view, 'waitingFor', 'question'), event);
    case 'thought':
      return { ...without(view, 'waitingFor', 'question'), thought: event.text || view.thought };
    case 'tool.requested':
      return { ...without(view, 'question'), acting: event };
    case 'approval.requested':
      return view.started?.approve === 'ask' || event.refused !== undefined
        ? { ...view, approval: event }
        : view;
    case 'approval.answered':
    case 'policy.changed':
      return without(view, 'approval');
    case 'input.requested':
      return { ...view, question: event };
    case 'said':
      return without(view, 'question');
    case 'tool.finished':
      return without(view, 'acting', 'approval');
    case 'review':
      return markReviewed(without(view, 'waitingFor'), event);
    case 'step.merged':
      return mark(view, event.step, event.conflicts === undefined ? 'done' : 'waiting');
    case 'budget': {
      const { toolCalls, inputTokens, outputTokens, usd } = event.usage;
      return {
        ...view,
        ...{ toolCalls, tokens: inputTokens + outputTokens },
        ...(usd === undefined ? {} : { usd }),
        ...(event.near === undefined ? {} : { near: event.near }),
      };
    }
    case 'model.waiting':
      return { ...view, waitingFor: event };
    case 'run.rewound': {
      const began = event.together ?? [event.step];
      const at = view.steps.findIndex(({ id }) => began.includes(id));
      const steps = view.steps.map((step, index) =>
        index < at ? step : { ...step, state: 'waiting' as const },
      );
      return { ...without(view, 'acting', 'waitingFor', 'approval', 'question'), steps };
    }
    case 'run.paused':
      return { ...view, paused: true };
    case 'run.resumed':
      return { ...view, paused: false };
    case 'run.finished':
      return { ...without(view, 'acting', 'waitingFor', 'approval', 'question'), finished: event };
    case 'nudge':
    case 'budget.unpriced':
    case 'run.restricted':
    case 'git.settings':
    case 'decision':
    case 'tool.started':
    case 'tool.output':
    case 'workspace.drift':
      return view;
  }
}
