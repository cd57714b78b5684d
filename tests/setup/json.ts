/** The value as it is written: members that are undefined are not there. */
export const toJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
