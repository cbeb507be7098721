'use strict';

const { runSeeds } = require('./seeds');

const COUNT = Number(process.env.COMPOSER_MESSAGES || 2000);
const SEED = Number(process.env.COMPOSER_SEED || Date.now() % 1e9);

test('generated messages come out as nodemailer makes them, byte for byte', async () => {
  console.info(`composer: ${COUNT} messages from seed ${SEED} (COMPOSER_SEED, COMPOSER_MESSAGES)`);
  const { counts, differences } = await runSeeds(SEED, COUNT);
  expect(differences).toEqual([]);
  // most of what is generated is odd, and still nearly all of it stays on the native path
  expect(counts.native).toBeGreaterThan(COUNT * 0.8);
}, 600000);
