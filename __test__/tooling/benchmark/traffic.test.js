'use strict';

const { hasCeiling } = require('../../../benchmark/ceiling');
const { runCase } = require('../../../benchmark/compare');
const { acceptable, compareBytes, verify } = require('../../../benchmark/measures/traffic');

const job = { workload: 'small', warmUp: 10, messages: 100, watched: 20 };
const sent = { sent: 130, errors: [] };

describe('the same work', () => {
  test.each([
    ['everything was sent and taken', job, sent, { messages: 130, recipients: 130 }, null],
    ['the sink counts no recipients', job, sent, { messages: 130 }, null],
    [
      'a message failed',
      job,
      { sent: 129, errors: [['late', 1]] },
      { messages: 129 },
      /sent 129 of 130.*late/,
    ],
    ['the sink took fewer', job, sent, { messages: 129 }, /the sink took 129/],
    ['the sink took more', job, sent, { messages: 131 }, /the sink took 131/],
    ['a recipient is missing', job, sent, { messages: 130, recipients: 129 }, /the sink has 129/],
    ['refused ones', { ...job, workload: 'refused' }, { sent: 117, errors: [] }, { messages: 117 }, null],
    [
      'many recipients',
      { ...job, workload: 'recipients-10' },
      sent,
      { messages: 130, recipients: 1300 },
      null,
    ],
  ])('%s', (_what, what, answer, taken, complaint) => {
    const look = () => verify('postpool', what, answer, taken);
    if (complaint) expect(look).toThrow(complaint);
    else expect(look).not.toThrow();
  });

  test.each([
    [0, 0],
    [1, 0],
    [10, 9],
    [11, 9],
    [130, 117],
  ])('of the first %d messages with every tenth refused %d are taken', (end, expected) => {
    expect(acceptable('refused', end)).toBe(expected);
  });

  test.each([
    ['as much', { bytes: 500 }, { bytes: 500 }, false],
    ['a longer boundary', { bytes: 500 }, { bytes: 520 }, false],
    ['a part is missing', { bytes: 5000 }, { bytes: 4900 }, true],
    ['more than there was', { bytes: 5000 }, { bytes: 5100 }, true],
    ['a sink that counts no octets', { size: 5000 }, { size: 4900 }, true],
  ])('octets on both sides: %s', (_what, nodemailer, postpool, complaint) => {
    const rounds = [
      { nodemailer: { bytes: 1000 }, postpool: { bytes: 1000 } },
      { nodemailer, postpool },
    ];
    const look = () => compareBytes(rounds);
    if (complaint) expect(look).toThrow(/not the same work/);
    else expect(look).not.toThrow();
  });
});

test.each([
  [{ sink: { kind: 'smtp-sink' } }, true],
  [{ sink: { kind: 'kit' } }, true],
  [{ sink: { kind: 'kit', tls: true } }, false],
  [{ sink: { kind: 'kit', rtt: 20 } }, false],
  [{ sink: { kind: 'kit' }, recipients: 10 }, false],
  [{ sink: { kind: 'smtp-sink' }, burst: 1000 }, false],
])('smtp-source takes part in %j: %s', (one, expected) => expect(hasCeiling(one)).toBe(expected));

test('contenders take turns, the last of a round being the first of the next', async () => {
  const turns = [];
  const onTurn = ({ round, contender }) => turns.push(`${round} ${contender}`);
  const { rounds } = await runCase({ measure: 'load', name: 'load' }, { rounds: 2, scale: 0.1, onTurn });
  expect(turns).toEqual(['0 nodemailer', '0 postpool', '1 postpool', '1 nodemailer']);
  expect(rounds[1].postpool.addon).toBeGreaterThan(0);
  expect(rounds[1].nodemailer.load).toBeGreaterThan(0);
});

describe('a run', () => {
  const quietly = { rounds: 1, scale: 1, onTurn: () => {} };

  test('sends, and has a figure of everything', async () => {
    const one = {
      measure: 'traffic',
      workload: 'small',
      sink: { kind: 'smtp-server' },
      connections: 2,
      messages: 30,
      warmUp: 5,
    };
    const { rounds, warmUp, messages, watched } = await runCase(one, quietly);
    expect({ warmUp, messages, watched }).toEqual({ warmUp: 5, messages: 30, watched: 30 });
    for (const library of ['nodemailer', 'postpool']) {
      for (const figure of ['rate', 'cpu', 'thread', 'busy', 'bytes']) {
        expect(rounds[0][library][figure]).toBeGreaterThan(0);
      }
      expect(rounds[0][library].delay).toBeGreaterThanOrEqual(0);
    }
  });

  test('all at once needs no second part, and tells how long that blocks', async () => {
    const sink = { kind: 'smtp-server' };
    const one = {
      measure: 'traffic',
      workload: 'small',
      sink,
      connections: 2,
      messages: 30,
      warmUp: 5,
      burst: 20,
    };
    const { rounds, watched } = await runCase(one, quietly);
    expect(watched).toBe(0);
    expect(Object.keys(rounds[0])).toEqual(['nodemailer', 'postpool']);
    expect(rounds[0].postpool.handOver).toBeGreaterThan(0);
    expect(rounds[0].postpool).not.toHaveProperty('delay');
  });

  test('messages that stay queued cost memory', async () => {
    const one = { measure: 'memory', workload: 'small', connections: 2, messages: 2000 };
    const { rounds } = await runCase(one, quietly);
    for (const library of ['nodemailer', 'postpool']) expect(rounds[0][library].heap).toBeGreaterThan(100);
  });
});
