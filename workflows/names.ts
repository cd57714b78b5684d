/** Names of our runs in Temporal. Separate, because the contract imports Temporal's workflow package. */
export const workflowType = 'agentRun';

/** Workflow ids are `run-<id>`; people say `<id>`. */
export const toWorkflowId = (run: string): string => `run-${run}`;
export const fromWorkflowId = (workflowId: string): string => workflowId.replace(/^run-/, '');

/** One queue per capability, so that each can be served by a process with only the permissions it needs. */
export const toQueues = (
  base: string,
  host: string,
): { run: string; model: string; workspace: string } => ({
  run: `${base}-run`,
  model: `${base}-model`,
  workspace: `${base}-workspace@${host}`,
});

/** Shown in the Web UI's list and in `agent list`. Never goal text: search attributes are not encrypted. */
export const searchAttributes = {
  AgentStatus: 'Keyword',
  AgentStep: 'Keyword',
  AgentModel: 'Keyword',
  AgentTokens: 'Int',
  AgentToolCalls: 'Int',
} as const;
