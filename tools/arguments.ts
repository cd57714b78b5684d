/** Arguments that several tools take. What servers would make a grammar of (lengths, patterns) is refined instead. */
import { z } from 'zod';

/** A lone surrogate would be another character once it is written to disk. */
export const text = z
  .string()
  .refine((value) => value.isWellFormed(), { error: 'must be well-formed Unicode' });

export const someText = text.min(1);

export const path = someText.describe('Relative to the workspace root.');
