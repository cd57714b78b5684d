/** A path inside a folder, one character per byte: file names need not be valid text. */
export type BytePath = string;

/** The path for the file system. */
export const toFile = (folder: string, path: BytePath): Buffer =>
  Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')]);

/** The path for people. */
export const toText = (path: BytePath): string => Buffer.from(path, 'latin1').toString('utf8');

export const parentOf = (path: BytePath): BytePath =>
  path.slice(0, Math.max(path.lastIndexOf('/'), 0));

export const joinPath = (folder: BytePath, path: BytePath): BytePath =>
  folder === '' ? path : `${folder}/${path}`;
