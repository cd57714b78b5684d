/** Workflow types registered by the worker, by name. */
export { promotion } from './promotion.ts';
export { agentRun } from './run.ts';
