import { countPlaceholders } from '../../policies/secrets/redaction.ts';
import { PathRefused } from '../files/walk.ts';

/**
 * Refuses text in which a placeholder would replace a secret the model never saw. Placeholders already in the file,
 * such as in a document about them, may stay. @throws PathRefused
 */
export function refusePlaceholders(path: string, before: string, after: string): void {
  const had = countPlaceholders(before);
  for (const [placeholder, count] of countPlaceholders(after)) {
    if (count <= (had.get(placeholder) ?? 0)) continue;
    throw new PathRefused(
      'mismatch',
      `${path} was not changed: ${placeholder} stands for a secret you cannot see, and writing it would overwrite or make up that secret. Use edit_file on the text around it, or read the value from the environment.`,
    );
  }
}

/** Explains that a text was not found because it has a placeholder where the file has a secret. */
export const explainPlaceholder = (path: string, text: string): string | undefined => {
  const [placeholder] = countPlaceholders(text).keys();
  return placeholder === undefined
    ? undefined
    : `${path} has a secret where you see ${placeholder}, so that text is not in it. Edit the text around the secret.`;
};
