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
 * JSON without whitespace and with the keys of every object sorted by UTF-16 code units, so that equal values
 * have equal text. Undefined members are dropped. @throws TypeError for what JSON cannot hold at all.
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
 * True when `text`, which parsed to `value`, is its canonical form. The engine's own serialiser keeps the order of
 * keys, so text it reproduces is canonical once its keys are sorted; only keys that look like integers, which
 * objects reorder, need the slow way.
 */
export const isCanonical = (text: string, value: unknown): boolean =>
  (JSON.stringify(value) === text && hasSortedKeys(value)) || toCanonical(value) === text;
