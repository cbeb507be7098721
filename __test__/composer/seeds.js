'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { compare } = require('./compare');
const { generate } = require('./generator');

/** Files of the sizes around which chunks of a stream change. */
function makeFiles() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-composer-'));
  const contents = {
    'empty.txt': '',
    'small.txt': 'Hällo\n',
    'image.png': Buffer.from([0x89, 0x50, 0x4e, 0x47]),
    'chunk.bin': Buffer.alloc(65536, 'ab c\r\n'),
    'blank.txt': `${'x'.repeat(65530)}      \t\t ${'y é\r\n'.repeat(9000)}`,
    'no extension': 'a',
  };
  return Object.entries(contents).map(([name, content]) => {
    const file = path.join(dir, name);
    fs.writeFileSync(file, content);
    return file;
  });
}

/** Compares `count` generated messages. */
async function runSeeds(first, count) {
  const files = makeFiles();
  const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = [privateKey.export({ type: 'pkcs8', format: 'pem' })];
  const result = { counts: { native: 0, composed: 0, refused: 0 }, reasons: {}, differences: [] };
  for (let seed = first; seed < first + count; seed++) {
    const { path: taken, reason, difference } = await compare(() => generate(seed, files, keys));
    result.counts[taken]++;
    if (reason) {
      result.reasons[reason] = (result.reasons[reason] || 0) + 1;
    }
    if (difference) {
      result.differences.push({ seed, difference });
    }
  }
  fs.rmSync(path.dirname(files[0]), { recursive: true });
  return result;
}

module.exports = { makeFiles, runSeeds };
