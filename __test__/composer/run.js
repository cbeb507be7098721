'use strict';

// Composes many generated messages with nodemailer and natively: `node run.js [count] [first seed]`.

const { runSeeds } = require('./seeds');

const count = Number(process.argv[2] || 2000);
const first = Number(process.argv[3] || 1);

runSeeds(first, count).then((result) => {
  console.log(JSON.stringify(result.counts), JSON.stringify(result.reasons));
  for (const { seed, difference } of result.differences.slice(0, Number(process.argv[4] || 10))) {
    console.log(`seed ${seed}: ${difference}`);
  }
  console.log(`${result.differences.length} differences in ${count} messages from seed ${first}`);
  process.exitCode = result.differences.length ? 1 : 0;
});
