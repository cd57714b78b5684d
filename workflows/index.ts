/** What the worker registers: the workflow types by name. */
export { agentRun } from './run.ts';
