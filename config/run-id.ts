/** What a run may be called: it becomes a file name, a workflow id and something people type. */
export const runIdPattern = /^[a-z0-9][a-z0-9-]{0,39}$/;
