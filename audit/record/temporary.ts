/** Temporary files, for code that must not depend on configuration. */
export { removeLeftTemps, toTempName } from '../../config/temporary.ts';
