'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { simpleParser } = require('mailparser');
const { compare, ours } = require('./compare');
const { corpus, files } = require('./corpus');

const MAILER = { options: {}, _defaults: {} };
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-corpus-'));
const file = (name) => path.join(dir, name);
const { privateKey } = crypto.generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

beforeAll(() => Object.entries(files).forEach(([name, content]) => fs.writeFileSync(file(name), content)));
afterAll(() => fs.rmSync(dir, { recursive: true }));

const names = Object.keys(corpus);
const make = (name) => () => corpus[name](file, privateKey);

/** Text as a receiver shows it: no line end is more than a line end. */
const shown = (text) => (text || '').replace(/\r\n/g, '\n').trimEnd();

const composed = names.filter((name) => !corpus[name](file).raw);

/** What Python's parser finds in each: subject, defects, and of every leaf its type and a hash. */
const pythonSees = {};

beforeAll(() => {
  const locations = composed.map((name, i) => {
    const location = path.join(dir, `${i}.eml`);
    fs.writeFileSync(location, ours(make(name)(), MAILER).raw);
    return location;
  });
  const script = path.join(__dirname, 'parse.py');
  const output = execFileSync('python3', [script, ...locations], { encoding: 'utf8' });
  JSON.parse(output).forEach((seen, i) => (pythonSees[composed[i]] = seen));
});

test('the corpus is 40 messages', () => expect(names).toHaveLength(40));

test.each(names)('%s: native, and the same octets', async (name) => {
  await expect(compare(make(name))).resolves.toEqual({ path: 'native', difference: null });
});

test.each(names.filter((name) => !corpus[name](file).raw))(
  '%s: read by mailparser and Python',
  async (name) => {
    const data = make(name)();
    const { raw } = ours(make(name)(), MAILER);
    const parsed = await simpleParser(raw, {
      skipTextToHtml: true,
      skipHtmlToText: true,
      skipImageLinks: true,
    });
    const python = pythonSees[name];
    expect(python.defects).toEqual([]);
    expect(parsed.subject).toBe(data.subject);
    expect(python.subject).toBe(data.subject);
    if (typeof data.text === 'string') {
      // mailparser shows an attached message below the text
      expect(shown(parsed.text).startsWith(shown(data.text))).toBe(true);
      expect(python.leaves).toContainEqual(['text/plain', sha256(shown(data.text))]);
    }
    if (typeof data.html === 'string') {
      expect(shown(parsed.html)).toBe(shown(data.html));
      expect(python.leaves).toContainEqual(['text/html', sha256(shown(data.html))]);
    }
    for (const { content, encoding, filename, contentType } of data.attachments || []) {
      if (content === undefined || contentType === 'message/rfc822') {
        continue;
      }
      const found = parsed.attachments.find((attachment) => attachment.filename === filename);
      const expected = Buffer.isBuffer(content) ? content : Buffer.from(content, encoding);
      expect(found.content.equals(expected)).toBe(true);
    }
  },
);

function sha256(text) {
  return crypto.createHash('sha256').update(text).digest('hex');
}
