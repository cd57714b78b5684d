/** `node tests/bench/model.ts <turns>`: a model that reads one line of lines.txt per turn; prints its address. */
import { countTurns, tellStory } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';

const turns = Number(process.argv[2]);
const server = await startModelServer(
  tellStory({
    plan: { steps: [{ id: 's1', title: 'Read' }] },
    act: (request) => {
      const turn = countTurns(request);
      if (turn >= turns) return { finish: { summary: 'Read.' } };
      return {
        call: [
          {
            name: 'read_file',
            args: { path: 'lines.txt', startLine: turn + 1, endLine: turn + 1 },
          },
        ],
      };
    },
  }),
);
console.log(server.baseUrl);
