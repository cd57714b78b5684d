/** Events that tell what the engine is at, by the activities under way. */
import type { EnsureRequest, OpenResult } from '../../activities/contract/workspace.ts';
import type { ProjectionState } from './projection-state.ts';
import type { EnginePhase, RunEventBody } from './run-event.ts';

const phases: Readonly<Record<string, EnginePhase>> = {
  openWorkspace: 'opening',
  plan: 'planning',
  ensureWorkspace: 'snapshot',
  openLane: 'snapshot',
  think: 'thinking',
  review: 'reviewing',
  mergeLane: 'merging',
  closeRun: 'closing',
};

/** An activity begins. */
export function foldPhase(state: ProjectionState, type: string, request: unknown): RunEventBody[] {
  const phase = phases[type];
  const asked = request as { readonly step?: string } & Partial<EnsureRequest>;
  // Another look at a folder that another run has is no news.
  if (phase === undefined || (phase === 'opening' && state.phases.has(''))) return [];
  return tell(state, phase, asked.step ?? asked.checkpoint?.step);
}

/** The folder is somebody else's, or free. */
export function foldBusy(state: ProjectionState, opened: OpenResult): RunEventBody[] {
  const holder = opened.ok ? undefined : opened.busy;
  return holder === undefined ? [] : tell(state, 'waiting-for-workspace', undefined, holder);
}

function tell(
  { phases: told }: ProjectionState,
  phase: EnginePhase,
  step?: string,
  holder?: string,
): RunEventBody[] {
  const now = `${phase} ${holder ?? ''}`;
  if (told.get(step ?? '') === now) return [];
  told.set(step ?? '', now);
  return [{ type: 'phase', phase, step, holder }];
}
