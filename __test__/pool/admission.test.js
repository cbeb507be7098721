'use strict';

const { Admission } = require('../../lib/admission');
const { MESSAGE, start, heard } = require('../support/pool');

const MEGABYTE = 1024 * 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));
let made = 0;
/** Each has a number of its own: otherwise one could stand for another of its size. */
const job = (...parts) => ({ number: ++made, mail: { record: { parts, isWhole: !parts.length } } });
const large = (megabytes) => job('text', Buffer.alloc(megabytes * MEGABYTE));

/** The way in, and what came through it. */
function setUp() {
  const through = [];
  const admission = new Admission((one) => through.push(one));
  return { admission, through, send: (one) => admission.admits(one) && through.push(one) };
}

describe('the way into the engine', () => {
  test('takes large buffers over several turns, and nothing passes what waits', async () => {
    const { through, send } = setUp();
    const jobs = [job(), large(3), large(1), large(1), job(), large(3), large(9), job()];
    jobs.forEach(send);
    expect(through).toEqual(jobs.slice(0, 3));
    await turn();
    expect(through).toEqual(jobs.slice(0, 6));
    const late = job();
    send(late);
    expect(through).toHaveLength(6);
    await turn();
    expect(through).toEqual([...jobs, late]);
  });

  test('holds nobody up in another lane, and no more than a few messages in any', async () => {
    const { through, send } = setUp();
    const lane = (one, name) => ({ ...one, lane: name });
    const jobs = [lane(large(4), 'bulk'), lane(large(4), 'bulk'), lane(job(), 'bulk'), lane(job(), 'urgent')];
    jobs.forEach(send);
    expect(through).toEqual([jobs[0], jobs[3]]);
    for (let i = 0; i < 14; i++) send(lane(job(), 'bulk'));
    expect(through).toHaveLength(2);
    send(lane(job(), 'bulk'));
    expect(through).toHaveLength(19);
    expect(through.slice(2, 4)).toEqual(jobs.slice(1, 3));
    await turn();
    await turn();
    send(lane(large(4), 'bulk'));
    expect(through).toHaveLength(20);
  });

  test('stays in order when what is let in closes the pool', async () => {
    const through = [];
    const admission = new Admission((one) => {
      through.push(one);
      admission.hurry();
    });
    const jobs = [large(4), large(4), large(4)];
    expect(jobs.map((one) => admission.admits(one))).toEqual([true, false, false]);
    await turn();
    expect(through).toEqual(jobs.slice(1));
    await turn();
    expect(through).toHaveLength(2);
  });

  test('takes in one turn whatever the engine does not copy', () => {
    const { through, send } = setUp();
    for (let i = 0; i < 100; i++) send(job());
    send({ mail: { message: {} } });
    send(job('x'.repeat(5 * MEGABYTE)));
    send(job('x'.repeat(5 * MEGABYTE)));
    expect(through).toHaveLength(103);
  });

  test('counts anew in every turn', async () => {
    const { through, send } = setUp();
    for (let i = 1; i <= 3; i++) {
      send(large(4));
      expect(through).toHaveLength(i);
      await turn();
    }
  });

  test('lets go of one that waits, and lets all in at once when it must hurry', async () => {
    const { admission, through, send } = setUp();
    const jobs = [large(4), large(4), large(4), job()];
    jobs.forEach(send);
    expect([admission.drop(jobs[0]), admission.drop(jobs[1]), admission.drop(jobs[1])]).toEqual([
      false,
      true,
      false,
    ]);
    admission.hurry();
    expect(through).toEqual([jobs[0], jobs[2], jobs[3]]);
    await turn();
    await turn();
    send(job());
    expect(through).toHaveLength(4);
  });
});

describe('messages with large buffers, sent at once', () => {
  const subjects = (server) => server.messages.map(({ body }) => /^Subject: (.*)\r$/m.exec(body)[1]);
  const ONE = { maxConnections: 1, maxMessages: Infinity };

  /** Six messages, every second one with five megabytes of its own. */
  const sendSix = (transporter, more = []) =>
    Array.from({ length: 6 }, (_, i) => {
      const attachments = i % 2 ? [] : [{ filename: 'a.bin', content: Buffer.alloc(5 * MEGABYTE, i) }];
      return transporter.sendMail({ ...MESSAGE, subject: `number ${i}`, attachments, ...more[i] }).then(
        (info) => info.messageSize,
        (err) => err,
      );
    });

  test('arrive in the order they were sent, whole, and count as waiting from the first', async () => {
    const { server, transporter } = await start({}, ONE);
    const sends = sendSix(transporter);
    expect([transporter.isIdle(), transporter.pendingCount()]).toEqual([false, 6]);
    const sizes = await Promise.all(sends);
    expect(subjects(server)).toEqual([0, 1, 2, 3, 4, 5].map((i) => `number ${i}`));
    expect(sizes.map((size) => size > 5 * MEGABYTE)).toEqual([true, false, true, false, true, false]);
  });

  test('leave when the pool is drained in the same turn', async () => {
    const { server, transporter } = await start({}, ONE);
    const sends = sendSix(transporter);
    expect(await transporter.drain()).toEqual({ sent: 6, failed: 0, inDoubt: 0, remaining: 0 });
    await Promise.all(sends);
    expect(server.messages).toHaveLength(6);
  });

  test('settle when the pool is closed in the same turn', async () => {
    const { transporter } = await start({}, ONE);
    const sends = sendSix(transporter);
    await transporter.close({ force: true });
    expect(transporter.pendingCount()).toBe(0);
    const codes = (await Promise.all(sends)).map(({ code }) => code);
    expect(codes).toEqual(Array(6).fill('ECONNECTION'));
  });

  test('leave by the native engine when the pool changes to the other one in the same turn', async () => {
    const { server, transporter } = await start({}, ONE);
    const sends = sendSix(transporter);
    transporter.transporter.getSocket = (options, callback) => callback(null, false);
    expect(transporter.engine).toBe('nodemailer');
    const sizes = await Promise.all(sends);
    expect(sizes.every((size) => size > 0)).toBe(true);
    expect(subjects(server)).toHaveLength(6);
  });

  test('can be aborted while they wait: nobody hears of them, and the others leave', async () => {
    const { server, transporter } = await start({}, ONE);
    const aborter = new AbortController();
    const sends = sendSix(transporter, { 2: { signal: aborter.signal }, 3: { signal: aborter.signal } });
    aborter.abort();
    const outcomes = await Promise.all(sends);
    expect(outcomes.map((outcome) => outcome.code ?? 'sent')).toEqual([
      'sent',
      'sent',
      'EABORT',
      'EABORT',
      'sent',
      'sent',
    ]);
    expect(outcomes[2]).toMatchObject({ phase: 'queue', maybeDelivered: false });
    expect(subjects(server)).toEqual(['number 0', 'number 1', 'number 4', 'number 5']);
    expect(heard(server, /^MAIL/)).toHaveLength(4);
    expect(transporter.pendingCount()).toBe(0);
  });
});
