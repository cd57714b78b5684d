import { parse } from 'unbash';
import type { Script } from 'unbash';

export type Parsed =
  | { readonly ok: true; readonly script: Script }
  /** Completes the sentence "The command …". */
  | { readonly ok: false; readonly problem: string };

/** The parser rescans the rest of the text for each here-document. */
const maxHereDocuments = 1_000;

/** Parses text as a shell would. */
export function parseShell(text: string): Parsed {
  if (text.split('<<', maxHereDocuments + 2).length > maxHereDocuments + 1)
    return { ok: false, problem: `has "<<" more than ${maxHereDocuments} times; use write_file` };
  try {
    const script = parse(text);
    const [error] = script.errors ?? [];
    return error === undefined
      ? { ok: true, script }
      : { ok: false, problem: `does not parse: ${error.message}` };
  } catch (error) {
    return { ok: false, problem: `cannot be read: ${String(error)}` };
  }
}
