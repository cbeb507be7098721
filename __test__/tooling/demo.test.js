'use strict';

const { EventEmitter } = require('node:events');
const { newsletter } = require('../../demo/newsletter');
const { UsageError, readOptions } = require('../../demo/options');
const { send } = require('../../demo/send');
const { compare, percentile, summary } = require('../../demo/summary');

describe('exactly once', () => {
  test.each([
    [
      'all arrived',
      ['<a>', '<b>'],
      [
        ['<a>', 1],
        ['<b>', 1],
      ],
      [],
    ],
    ['one is missing', ['<a>', '<b>'], [['<a>', 1]], [/^1 .* did not arrive/]],
    ['one came twice', ['<a>'], [['<a>', 2]], [/^1 .* more than once/]],
    [
      'one is nobody’s',
      ['<a>'],
      [
        ['<a>', 1],
        ['<x>', 1],
      ],
      [/^1 .* not reported as sent/],
    ],
    ['one id for two messages', ['<a>', '<a>'], [['<a>', 2]], [/^1 .* used twice/, /more than once/]],
  ])('%s', (_name, sent, received, problems) => {
    expect(compare(sent, received)).toEqual(problems.map((pattern) => expect.stringMatching(pattern)));
  });
});

test('a percentile is the value below which that share lies', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  expect([0.5, 0.95, 0.99].map((share) => percentile(hundred, share))).toEqual([50, 95, 99]);
  expect(percentile([7], 0.5)).toBe(7);
  expect(percentile([], 0.5)).toBeUndefined();
});

test('the summary of nothing sent has no figures to invent', () => {
  const text = summary({ latencies: [], ids: [], failures: [], seconds: 1, eventLoopDelay: 0 });
  expect(text).toMatch(/latency p50 \/ p95 \/ p99 +– \/ – \/ –/);
});

test('every fiftieth newsletter has an attachment of 100 KB, every one about 20 KB of HTML', () => {
  const all = Array.from({ length: 100 }, (_, number) => newsletter(number, {}));
  const attached = all.flatMap(({ attachments }, number) => (attachments ? [number] : []));
  expect(attached).toEqual([49, 99]);
  expect(all[49].attachments[0].content).toHaveLength(100 * 1024);
  for (const { html } of all) {
    expect(Buffer.byteLength(html)).toBeGreaterThan(20_000);
    expect(Buffer.byteLength(html)).toBeLessThan(21_000);
  }
  expect(new Set(all.map(({ html }) => html)).size).toBe(100);
});

describe('options', () => {
  test('the defaults are a thousand messages over five connections to the server of its own', () => {
    expect(readOptions([])).toMatchObject({ messages: 1000, connections: 5, server: null });
  });

  test('a server of the user’s takes the usual port', () => {
    const to = ['--host', 'mail.example', '--to', 'me@mail.example'];
    expect(readOptions(to).server).toEqual({ host: 'mail.example', port: 587, secure: false });
    expect(readOptions([...to, '--secure']).server.port).toBe(465);
    const login = readOptions([...to, '--user', 'u@mail.example', '--pass', 'x']);
    expect(login.server.auth).toEqual({ user: 'u@mail.example', pass: 'x' });
    expect(login.from).toBe('u@mail.example');
  });

  test.each([
    [['--messages', '0']],
    [['--messages', '1e3']],
    [['--connections', '-1']],
    [['--nonsense']],
    [['--host', 'mail.example']],
    [['--to', 'me@mail.example']],
    [['--host', 'h', '--to', 'a@b', '--port', '70000']],
    [['--host', 'h', '--to', 'a@b', '--user', 'u']],
  ])('%j is refused', (args) => {
    expect(() => readOptions(args)).toThrow(UsageError);
  });
});

describe('feeding', () => {
  /** A transporter that takes `room` messages and settles them when told to. */
  class Pool extends EventEmitter {
    waiting = [];

    constructor(room) {
      super();
      this.room = room;
    }

    isIdle() {
      return this.waiting.length < this.room;
    }

    sendMail({ id }) {
      return new Promise((resolve, reject) => this.waiting.push({ id, resolve, reject }));
    }

    settleAll() {
      for (const { id, resolve } of this.waiting.splice(0)) resolve({ messageId: id });
      this.emit('idle');
    }
  }
  const start = (pool, total) => {
    const progress = [];
    const sending = send(pool, {
      total,
      make: (id) => ({ id }),
      onSettled: (done) => progress.push(done),
    });
    return { ...sending, progress };
  };

  test('no more is handed over than the pool has room for, until all is sent', async () => {
    const pool = new Pool(2);
    const { finished, progress } = start(pool, 3);
    expect(pool.waiting.map(({ id }) => id)).toEqual([0, 1]);
    pool.settleAll();
    expect(pool.waiting.map(({ id }) => id)).toEqual([2]);
    pool.settleAll();
    expect(await finished).toMatchObject({ ids: [0, 1, 2], failures: [], handedOver: 3 });
    expect(progress.at(-1)).toBe(3);
  });

  test('stopping waits for what was handed over and hands over no more', async () => {
    const pool = new Pool(2);
    const { finished, stop } = start(pool, 100);
    stop();
    pool.settleAll();
    expect(pool.waiting).toEqual([]);
    expect(await finished).toMatchObject({ ids: [0, 1], handedOver: 2 });
  });

  test('a failure counts as settled', async () => {
    const pool = new Pool(1);
    const { finished } = start(pool, 1);
    const failure = new Error('refused');
    pool.waiting.pop().reject(failure);
    expect(await finished).toMatchObject({ ids: [], failures: [failure] });
  });
});
