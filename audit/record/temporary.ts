/** Files that are being written, for the rooms that know nothing of configuration. */
export { removeLeftTemps, toTempName } from '../../config/temporary.ts';
