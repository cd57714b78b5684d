/** What the worker registers: the workflow types by name. */
export { promotion } from './promotion.ts';
export { agentRun } from './run.ts';
