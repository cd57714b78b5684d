import { join } from 'node:path';
import { createDotenvReader } from '../files/dotenv.ts';
import { createHistoryReader } from '../files/history-secrets.ts';
import type { ActDependencies } from './call.ts';

/** No tool may read these files, but a command can print what a program, or git, reads from them. */
export interface SecretLearner {
  fromFiles(root: string): void;
  fromHistory(root: string): Promise<void>;
}

export function createSecretLearner({
  redactor,
  spillDir,
}: Pick<ActDependencies, 'redactor' | 'spillDir'>): SecretLearner {
  const readDotenv = createDotenvReader();
  const readHistory = createHistoryReader(join(spillDir, 'history.git'));
  return {
    fromFiles: (root) => redactor?.add(readDotenv(root)),
    fromHistory: async (root) => redactor?.add(await readHistory(root)),
  };
}
