'use strict';

/**
 * Many messages through servers that refuse, close, reset and fall silent at random: whatever
 * happens, what the caller is told and what the server accepted must agree.
 */

const fc = require('fast-check');
const { FIN, RST, startServer } = require('../support/servers');

const library = require(process.env.POSTPOOL_MODULE || '../..');

const COUNT = 60;

/** What may go wrong, by the step it answers. */
const troubles = {
  MAIL: ['451 4.3.0 later', '550 5.7.1 no', ['421 4.3.2 bye', FIN], FIN, RST],
  RCPT: ['450 4.2.1 wait', '550 5.1.1 unknown', FIN],
  DATA: ['451 4.3.0 no data', FIN],
  body: ['554 5.6.0 spam', '452 4.3.1 full', FIN, RST, ['250 2.0.0 ok', FIN]],
};
const steps = Object.keys(troubles);

/** A server in whose plan every nth answer of a step is a trouble. */
function scripted(plan, capabilities) {
  const turns = Object.fromEntries(steps.map((step) => [step, 0]));
  const answer = (step) => () => {
    const wrong = plan.find(({ at, every }) => at === step && turns[step] % every === every - 1);
    turns[step] += 1;
    return wrong && troubles[step][wrong.which % troubles[step].length];
  };
  return { capabilities, replies: Object.fromEntries(steps.map((step) => [step, answer(step)])) };
}

/** Sends the messages and tells for each what was said and how often it arrived. */
async function traffic({ plan, capabilities, maxConnections, maxMessages }) {
  const server = await startServer(scripted(plan, capabilities));
  const options = { pool: true, host: '127.0.0.1', port: server.port, maxConnections, maxMessages };
  const transporter = library.createTransport(options);
  const send = (i) =>
    transporter
      .sendMail({
        from: 'a@example.com',
        to: 'b@example.com',
        subject: `number ${i}.`,
        text: '.\n'.repeat(i),
      })
      .then(
        () => 'sent',
        (err) => (err.maybeDelivered ? 'in doubt' : 'failed'),
      );
  try {
    const told = await Promise.all(Array.from({ length: COUNT }, (_, i) => send(i)));
    return told.map((said, i) => {
      const mine = server.messages.filter(({ body }) => body.includes(`number ${i}.\r\n`));
      return [said, mine.length];
    });
  } finally {
    await transporter.close({ force: true });
    await server.close();
  }
}

const agreed = ([said, arrived]) =>
  (said === 'sent' && arrived === 1) ||
  (said === 'failed' && arrived === 0) ||
  (said === 'in doubt' && arrived <= 1);

const trouble = fc.record({
  at: fc.constantFrom(...steps),
  every: fc.integer({ min: 3, max: 9 }),
  which: fc.nat(9),
});
const situation = fc.record({
  plan: fc.array(trouble, { maxLength: 3 }),
  capabilities: fc.constantFrom([], ['PIPELINING'], ['PIPELINING', 'CHUNKING', 'SIZE 1000000']),
  maxConnections: fc.integer({ min: 1, max: 4 }),
  maxMessages: fc.constantFrom(1, 5, 100),
});

test('what the caller is told is what the server did', async () => {
  const settled = async (given) => {
    const outcomes = await traffic(given);
    expect(outcomes.filter((outcome) => !agreed(outcome))).toEqual([]);
  };
  await fc.assert(fc.asyncProperty(situation, settled), { numRuns: 25, endOnFailure: true });
}, 180000);
