'use strict';

// Composing alone, nodemailer beside postpool: what a message costs the JavaScript thread and the
// machine, and what a large attachment costs in memory. Build with `npm run build` first.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const v8 = require('node:v8');
const vm = require('node:vm');
const MailComposer = require('nodemailer/lib/mail-composer');
const MailMessage = require('nodemailer/lib/mailer/mail-message');
const { composedSizes } = require('../binding.js');
const { toRecord } = require('../lib/record');
const { threadTime } = require('./usage');

const MAILER = { options: {}, _defaults: {} };
const MB = 1024 * 1024;
/** Messages in flight. */
const BATCH = 20;

/** Composes with nodemailer and reads the message to its end. */
async function nodemailer(data) {
  const mail = new MailMessage(MAILER, data);
  mail.message = new MailComposer(mail.data).compile();
  mail.setMailerHeader();
  mail.setPriorityHeaders();
  mail.setListHeaders();
  mail.message.getEnvelope();
  let size = 0;
  for await (const chunk of mail.message.createReadStream()) {
    size += chunk.length;
  }
  return size;
}

/** What one message costs before it leaves this thread. */
function recorded(data) {
  const record = toRecord(new MailMessage(MAILER, data));
  if (record.reason) {
    throw new Error(`composed path: ${record.reason}`);
  }
  return record;
}

/** Makes and composes messages, a few at a time: the pool reports to JavaScript in batches too. */
const ENGINES = {
  nodemailer: (batch) => Promise.all(batch.map((make) => nodemailer(make()))),
  postpool: (batch) => composedSizes(batch.map((make) => recorded(make()))),
};

function cases(dir) {
  const file = (name, size) => {
    const location = path.join(dir, name);
    fs.writeFileSync(location, Buffer.alloc(size, 'attachment '));
    return location;
  };
  const reset = {
    from: 'Acme <no-reply@acme.example>',
    to: 'bob@example.com',
    subject: 'Reset your password',
    text: 'Hello Bob,\n\nclick here: https://acme.example/reset?token=123\n\nBye\n',
  };
  const paragraph = '<p style="color: #333">Grüße aus Köln: ein Absatz mit Wörtern &amp; mehr.</p>\n';
  const newsletter = {
    ...reset,
    subject: 'Neuigkeiten für dich 🎉',
    html: paragraph.repeat(200),
    text: 'Grüße aus Köln: ein Absatz mit Wörtern und mehr.\n'.repeat(60),
    list: { unsubscribe: 'https://acme.example/u' },
  };
  const attached = (size) => {
    const content = Buffer.alloc(size, 'x');
    return () => ({ ...reset, attachments: [{ filename: 'a.bin', content }] });
  };
  const recipients = Array.from({ length: 1000 }, (_, i) => `User ${i} <user${i}@example.com>`);
  const files = Array.from({ length: 20 }, (_, i) => ({ path: file(`file${i}.pdf`, 50 * 1024) }));
  return {
    small: [2000, () => ({ ...reset })],
    newsletter: [500, () => ({ ...newsletter })],
    '1 MB buffer': [60, attached(MB)],
    '5 MB buffer': [15, attached(5 * MB)],
    '1000 recipients': [60, () => ({ ...reset, to: recipients })],
    '20 files of 50 KB': [60, () => ({ ...reset, attachments: files.map((entry) => ({ ...entry })) })],
  };
}

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc');

/** CPU milliseconds of the JavaScript thread so far; where the system does not say, time it was busy. */
const threadMilliseconds = () => (threadTime() ?? performance.eventLoopUtilization().active * 1000) / 1000;

/** CPU milliseconds of the JavaScript thread and of all threads, a message. */
async function measure(engine, count, make) {
  const batch = Array.from({ length: BATCH }, () => make);
  const work = async () => {
    for (let done = 0; done < count; done += BATCH) {
      await engine(batch);
    }
  };
  await work();
  // what came before leaves its garbage to nobody else
  collectGarbage();
  const cpu = process.cpuUsage();
  const start = threadMilliseconds();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { thread: (threadMilliseconds() - start) / count, cpu: (user + system) / 1000 / count };
}

async function times() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-compose-'));
  const rows = {};
  for (const [name, [count, make]] of Object.entries(cases(dir))) {
    const theirs = await measure(ENGINES.nodemailer, count, make);
    const ours = await measure(ENGINES.postpool, count, make);
    rows[name] = {
      'nodemailer thread ms': round(theirs.thread),
      'postpool thread ms': round(ours.thread),
      'thread ×': Math.round(theirs.thread / ours.thread),
      'nodemailer CPU ms': round(theirs.cpu),
      'postpool CPU ms': round(ours.cpu),
      'CPU ×': round(theirs.cpu / ours.cpu),
    };
  }
  fs.rmSync(dir, { recursive: true });
  return rows;
}

function round(value) {
  return Number(value.toPrecision(3));
}

/** Runs in a process of its own: peak memory over the process's start, in MB. */
async function memory(name, file) {
  const before = process.resourceUsage().maxRSS;
  const make = () => ({ from: 'a@b.example', to: 'c@d.example', text: 'x', attachments: [{ path: file }] });
  const [size] = await ENGINES[name]([make]);
  const grown = (process.resourceUsage().maxRSS - before) / 1024;
  console.log(JSON.stringify({ name, size, grown: Math.round(grown) }));
}

function memories() {
  const file = path.join(os.tmpdir(), `postpool-100mb-${process.pid}.bin`);
  fs.writeFileSync(file, Buffer.alloc(100 * MB, 'large '));
  const run = (name) =>
    JSON.parse(execFileSync(process.execPath, [__filename, '--memory', name, file], { encoding: 'utf8' }));
  const rows = Object.fromEntries(
    Object.keys(ENGINES).map((name) => [name, { 'peak memory above start, MB': run(name).grown }]),
  );
  fs.unlinkSync(file);
  return rows;
}

/** Megabytes of content a second through the whole composer, one thread. */
async function throughput() {
  const text = Buffer.from('Grüße aus Köln, a line of text as people write it.\r\n'.repeat(MB / 2));
  const rows = {};
  for (const contentTransferEncoding of ['base64', 'quoted-printable', '8bit']) {
    const attachments = [
      { filename: 'a.bin', contentType: 'application/x', content: text, contentTransferEncoding },
    ];
    const record = recorded({ to: 'a@b.example', attachments });
    await composedSizes([record]);
    const start = performance.now();
    await composedSizes([record]);
    rows[contentTransferEncoding] = { 'MB/s': Math.round(text.length / 1e3 / (performance.now() - start)) };
  }
  return rows;
}

async function main() {
  if (process.argv[2] === '--memory') {
    return memory(process.argv[3], process.argv[4]);
  }
  console.table(await times());
  console.table(memories());
  console.table(await throughput());
}

main();
