/** The model activities as a worker has them: real blobs, real HTTP, a folder of their own. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Observation } from '../../activities/contract/act.ts';
import type {
  ModelActivities,
  ModelChoice,
  PlanRequest,
  ThinkRequest,
} from '../../activities/contract/model.ts';
import type { Ref } from '../../activities/contract/refs.ts';
import { createModelActivities } from '../../activities/model/model-activities.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import type { BlobStore } from '../../audit/record/blobs.ts';
import { builtIn } from '../../tools/built-in.ts';

export interface Room {
  readonly root: string;
  readonly blobs: BlobStore;
  readonly activities: ModelActivities;
  readonly model: ModelChoice;
  /** Runs one activity as attempt `attempt` of activity `id`. */
  run<T>(
    work: (activities: ModelActivities) => Promise<T>,
    attempt?: number,
    id?: string,
  ): Promise<T>;
  planRequest(more?: Partial<PlanRequest>): Promise<PlanRequest>;
  thinkRequest(more?: Partial<ThinkRequest>): Promise<ThinkRequest>;
  observe(call: string, more?: Partial<Observation>): Promise<Ref>;
  close(): Promise<void>;
}

export interface RoomOptions {
  readonly apiKey?: string;
  readonly forceChat?: boolean;
  readonly contextTokens?: number;
}

export const onePlan = {
  approach: 'Look and write.',
  steps: [
    {
      id: 's1',
      title: 'Write it',
      detail: 'Write a.txt.',
      dependsOn: [],
      acceptance: ['a.txt is there.'],
    },
  ],
};

export async function openRoom(baseUrl: string, options: RoomOptions = {}): Promise<Room> {
  const { apiKey, forceChat, contextTokens } = options;
  const root = await mkdtemp(join(tmpdir(), 'dev-agent-model-'));
  const blobs = createBlobStore(join(root, 'blobs'));
  const activities = createModelActivities({
    tools: builtIn,
    blobs,
    keyOf: () => apiKey,
    defaultBaseUrl: baseUrl,
    spoolDir: join(root, 'spool'),
    answersDir: join(root, 'answers'),
    contextTokens,
  });
  const model = { model: 'scripted', forceChat };
  return {
    root,
    blobs,
    activities,
    model,
    run(work, attempt = 1, id = 'activity-1') {
      const environment = new MockActivityEnvironment({
        attempt,
        activityId: id,
        workflowExecution: { workflowId: 'run-test', runId: 'run-id' },
      });
      return environment.run(() => work(activities));
    },
    async planRequest(more = {}) {
      const facts = await blobs.put('README.md');
      return { run: 'test', goal: 'Write a.txt', model, facts, notes: [], said: [], ...more };
    },
    async thinkRequest(more = {}) {
      const facts = await blobs.put('README.md');
      const plan = await blobs.putJson(onePlan);
      const nothing = { observations: [], notes: [], said: [] };
      return {
        run: 'test',
        goal: 'Write a.txt',
        model,
        facts,
        plan,
        step: 's1',
        ...nothing,
        ...more,
      };
    },
    observe: (call, more) => blobs.putJson(toObservation(call, more)),
    close: () => rm(root, { recursive: true, force: true }),
  };
}

export const toObservation = (call: string, more: Partial<Observation> = {}): Observation => ({
  v: 1,
  seq: 1,
  step: 's1',
  call,
  tool: 'read_file',
  preview: 'a.txt',
  verdict: 'allow',
  rule: 'paths.read',
  ok: true,
  ms: 1,
  text: 'hello',
  changed: [],
  time: '2026-11-23T00:00:00.000Z',
  ...more,
});
