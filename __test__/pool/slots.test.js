'use strict';

const { Slots } = require('../../lib/slots');

const job = (id) => ({ id, key: 0 });

test('a job is found by its key until it is deleted, and its place goes to another with another key', () => {
  const slots = new Slots();
  const [first, second, third] = [job(1), job(2), job(3)];
  const key = slots.add(first);
  slots.add(second);
  expect([slots.get(key), slots.size]).toEqual([first, 2]);
  slots.delete(key);
  slots.delete(key);
  expect([slots.get(key), slots.size]).toEqual([undefined, 1]);
  slots.add(third);
  expect(slots.jobs).toHaveLength(2);
  expect(third.key).not.toBe(key);
  expect(slots.get(key)).toBeUndefined();
  expect(slots.all()).toEqual([second, third]);
});

test('keys stay exact integers of their own however many jobs there were', () => {
  const slots = new Slots();
  slots.turn = 2 ** 29 - 3;
  const keys = new Set();
  for (let id = 1; id <= 1000; id++) {
    const held = [job(id), job(id + 1), job(id + 2)].map((one) => [slots.add(one), one]);
    for (const [key, one] of held) {
      expect(Number.isSafeInteger(key) && key > 0).toBe(true);
      expect(slots.get(key)).toBe(one);
      keys.add(key);
      slots.delete(key);
    }
  }
  expect([keys.size, slots.size]).toEqual([3000, 0]);
});
