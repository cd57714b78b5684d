/** Valid run names: used as file name and workflow id, and typed by people. */
export const runIdPattern = /^[a-z0-9][a-z0-9-]{0,39}$/;
