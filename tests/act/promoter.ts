/** A worker that promotes and nothing else, to be killed in the middle: `promoter.ts <json>`. */
import { promote } from '../../activities/act/promote.ts';
import type { PromoteRequest } from '../../activities/contract/promotion.ts';
import { openPromoter } from './promotion-room.ts';

const { state, request } = JSON.parse(process.argv[2] ?? '{}') as {
  state: string;
  request: PromoteRequest;
};
const result = await promote(await openPromoter(state), request, new AbortController().signal);
process.stdout.write(JSON.stringify(result));
process.exit(0);
