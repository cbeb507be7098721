'use strict';

const { Slots, keyOf } = require('../../lib/slots');

/** A job that was added, and its key. */
const add = (slots, id) => {
  const job = { id, place: 0 };
  slots.add(job);
  return [job, keyOf(job)];
};

test('a job is found by its key until it is deleted, and its place goes to another with another key', () => {
  const slots = new Slots();
  const [first, key] = add(slots, 1);
  const [second] = add(slots, 2);
  expect([slots.get(key), slots.size]).toEqual([first, 2]);
  slots.delete(key);
  slots.delete(key);
  expect([slots.get(key), slots.size]).toEqual([undefined, 1]);
  const [third, another] = add(slots, 3);
  expect(slots.jobs).toHaveLength(2);
  expect(another).not.toBe(key);
  expect(slots.get(key)).toBeUndefined();
  expect(slots.all()).toEqual([second, third]);
});

test('many jobs that are gone leave no places behind', () => {
  const slots = new Slots();
  const keys = Array.from({ length: 5000 }, (_, id) => add(slots, id + 1)[1]);
  keys.forEach((key) => slots.delete(key));
  expect([slots.size, slots.jobs.length, slots.free.length]).toEqual([0, 0, 0]);
  const [job, key] = add(slots, 5001);
  expect([slots.get(key), keys.map((old) => slots.get(old)).filter(Boolean)]).toEqual([job, []]);
});

test('keys stay exact integers of their own however many jobs there were', () => {
  const slots = new Slots();
  const keys = new Set();
  for (let id = 2 ** 29 - 1500; id < 2 ** 29 + 1500; id += 3) {
    const held = [id, id + 1, id + 2].map((one) => add(slots, one));
    for (const [job, key] of held) {
      expect(Number.isSafeInteger(key) && key > 0).toBe(true);
      expect(slots.get(key)).toBe(job);
      keys.add(key);
      slots.delete(key);
    }
  }
  expect([keys.size, slots.size]).toEqual([3000, 0]);
});
