/** `node tests/bench/model.ts <turns>`: a model that reads one line of lines.txt per turn, or, for 0, wants ten thousand calls; prints its address. */
import { countTurns, findStepId, tellStory } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';

const steps = 10;
const turnsPerStep = 50;
const callsPerTurn = 20;

/** Looks, with a change in every turn: no two alike. */
const longStory = tellStory({
  plan: {
    steps: Array.from({ length: steps }, (_, index) => ({ id: `s${index}`, title: `${index}` })),
  },
  act: (request) => {
    const step = Number((findStepId(request) ?? 's0').slice(1));
    const turn = countTurns(request);
    if (turn >= turnsPerStep) return { finish: { summary: `Part ${step} is done.` } };
    const first = (step * turnsPerStep + turn) * callsPerTurn + 1;
    return {
      call: Array.from({ length: callsPerTurn }, (_, index) =>
        index === 0
          ? { name: 'write_file', args: { path: `${step}/${turn}.txt`, content: `${first}\n` } }
          : {
              name: 'read_file',
              args: { path: 'lines.txt', startLine: first + index, endLine: first + index },
            },
      ),
    };
  },
});

const turns = Number(process.argv[2]);
const shortStory = tellStory({
  plan: { steps: [{ id: 's1', title: 'Read' }] },
  act: (request) => {
    const turn = countTurns(request);
    if (turn >= turns) return { finish: { summary: 'Read.' } };
    return {
      call: [
        { name: 'read_file', args: { path: 'lines.txt', startLine: turn + 1, endLine: turn + 1 } },
      ],
    };
  },
});

const server = await startModelServer(turns === 0 ? longStory : shortStory);
console.log(server.baseUrl);
