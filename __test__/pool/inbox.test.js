'use strict';

const { Inbox } = require('../../lib/inbox');

const MEGABYTE = 1024 * 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** An inbox with batches to fetch, and a diary: one list of events a turn of the event loop. */
function setUp(batches) {
  const told = [];
  const backend = {
    take(event) {
      told.push(event.id);
    },
  };
  const fetch = jest.fn(() => batches.shift() ?? null);
  return { inbox: new Inbox(backend, fetch), backend, fetch, told };
}

const batch = (...events) => JSON.stringify(events);
const sent = (id, ms) => ({ k: 'sent', id, ms });

describe('the inbox', () => {
  test('tells of all small messages of a batch at once, and fetches the next batch in the next turn', async () => {
    const small = Array.from({ length: 200 }, (_, id) => sent(id, 500));
    const { inbox, fetch, told } = setUp([batch(sent(200, 500))]);
    inbox.deliver(batch(...small));
    expect(told).toHaveLength(200);
    expect(fetch).not.toHaveBeenCalled();
    await turn();
    expect(told.at(-1)).toBe(200);
    await turn();
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  test('tells of large messages over several turns, in order, before it fetches more', async () => {
    const { inbox, fetch, told } = setUp([batch(sent(6, 1))]);
    inbox.deliver(batch(...[1, 2, 3, 4, 5].map((id) => sent(id, 3 * MEGABYTE))));
    expect(told).toEqual([1, 2]);
    await turn();
    expect(told).toEqual([1, 2, 3, 4]);
    expect(fetch).not.toHaveBeenCalled();
    await turn();
    expect(told).toEqual([1, 2, 3, 4, 5]);
    await turn();
    expect(told).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('stops when there is nothing to fetch, until the engine comes by itself', async () => {
    const { inbox, fetch, told } = setUp([]);
    inbox.deliver('');
    await turn();
    await turn();
    expect(fetch).toHaveBeenCalledTimes(1);
    inbox.deliver(batch(sent(1, 1)));
    expect(told).toEqual([1]);
  });
});
