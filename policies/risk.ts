import type { Decision } from './action.ts';

/** `low` can be fully reverted, `medium` runs more than was judged, `high` reaches beyond the workspace. */
export interface Risk {
  readonly level: 'low' | 'medium' | 'high';
  /** One sentence for the person deciding. */
  readonly why: string;
}

/** What can go wrong with an action, for the person asked to approve it. Pure. */
export function toRisk({ effect, rule }: Pick<Decision, 'effect' | 'rule'>): Risk {
  switch (effect) {
    case 'external':
      return { level: 'high', why: 'It has effects outside the workspace and cannot be undone.' };
    case 'idempotent':
      return {
        level: 'high',
        why: 'It has effects outside the workspace, and those cannot be undone.',
      };
    case 'workspace':
      return /^(?:workspace\.)?(?:shell$|shell\.|commands\.)/.test(rule)
        ? {
            level: 'medium',
            why: 'It may change any file in the workspace, and nothing outside; agent undo reverts it.',
          }
        : { level: 'low', why: 'It changes only what is shown; agent undo reverts it.' };
    case 'pure':
      return { level: 'low', why: 'It only reads; what it reads goes to the model.' };
  }
}
