const write = (value: unknown): string | undefined => {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if ('toJSON' in value && typeof value.toJSON === 'function') return write(value.toJSON());
  if (Array.isArray(value)) return `[${value.map((item) => write(item) ?? 'null').join(',')}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).toSorted()) {
    const text = write((value as Record<string, unknown>)[key]);
    if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join(',')}}`;
};

/**
 * JSON without whitespace, keys sorted by UTF-16 code units, so that equal values have equal text. Drops undefined
 * members. @throws TypeError for values JSON cannot hold.
 */
export const toCanonical = (value: unknown): string => {
  const text = write(value);
  if (text === undefined) {
    throw new TypeError(
      `A ${typeof value} has no JSON form; pass an object, array, string, number, boolean or null.`,
    );
  }
  return text;
};

const hasSortedKeys = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(hasSortedKeys);
  let last: string | undefined;
  for (const key of Object.keys(value)) {
    if (last !== undefined && key < last) return false;
    if (!hasSortedKeys((value as Record<string, unknown>)[key])) return false;
    last = key;
  }
  return true;
};

/**
 * True if `text`, which parsed to `value`, is canonical. JSON.stringify keeps key order, so text it reproduces is
 * canonical if its keys are sorted; only integer-like keys, which objects reorder, need the slow path.
 */
export const isCanonical = (text: string, value: unknown): boolean =>
  (JSON.stringify(value) === text && hasSortedKeys(value)) || toCanonical(value) === text;
