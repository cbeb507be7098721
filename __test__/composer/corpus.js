'use strict';

// Messages as products send them, by name. Files are looked up with `file(name)`.

const PDF = Buffer.from(
  '%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< >>\n%%EOF\n'.repeat(40),
);
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const PIXEL = `data:image/png;base64,${PNG.toString('base64')}`;
const CALENDAR = [
  'BEGIN:VCALENDAR',
  'VERSION:2.0',
  'METHOD:REQUEST',
  'BEGIN:VEVENT',
  'UID:42@acme.example',
  'SUMMARY:Planning',
  'END:VEVENT',
  'END:VCALENDAR',
  '',
].join('\r\n');

const paragraphs = (count, text) =>
  `<html><body>${`<p style="margin:0 0 12px">${text}</p>\n`.repeat(count)}</body></html>`;

const corpus = {
  'password reset': () => ({
    from: 'Acme <no-reply@acme.example>',
    to: 'bob@example.com',
    subject: 'Reset your password',
    text: 'Hi Bob,\n\nuse this link within the hour:\nhttps://acme.example/reset?token=3f9c&x=1\n\nAcme\n',
    html: '<p>Hi Bob,</p><p><a href="https://acme.example/reset?token=3f9c&amp;x=1">Reset</a></p>',
  }),
  'one-time code': () => ({
    from: '"Acme Security" <security@acme.example>',
    to: { name: 'Bob', address: 'bob@example.com' },
    subject: '123456 is your code',
    text: 'Your code is 123456.',
    otp: { code: '123456', origin: 'https://acme.example' },
  }),
  'email verification with tracking headers': () => ({
    from: 'hello@startup.example',
    to: 'new.user+signup@example.com',
    subject: 'Confirm your email',
    html: '<a href="https://startup.example/confirm/abc">Confirm</a>',
    headers: {
      'X-Entity-Ref-ID': 'abc-123',
      'X-Mailgun-Variables': '{"user":42}',
      Precedence: 'transactional',
    },
  }),
  'receipt in euro': () => ({
    from: 'Bäckerei Müller <rechnung@baeckerei-mueller.example>',
    to: 'Jürgen Groß <juergen@example.de>',
    subject: 'Ihre Rechnung Nr. 2026-118 über 12,50 €',
    text: 'Guten Tag,\r\n\r\nvielen Dank für Ihren Einkauf: 12,50 €.\r\n',
    attachments: [{ filename: 'Rechnung 2026-118.pdf', content: PDF, contentType: 'application/pdf' }],
  }),
  'invoice from a file': (file) => ({
    from: 'billing@saas.example',
    to: ['cfo@corp.example', 'Accounts Payable <ap@corp.example>'],
    bcc: 'archive@saas.example',
    subject: 'Invoice INV-0042',
    text: 'Please find the invoice attached.',
    html: '<p>Please find the invoice attached.</p>',
    attachments: [{ filename: 'INV-0042.pdf', path: file('invoice.pdf') }],
  }),
  newsletter: () => ({
    from: 'The Weekly <weekly@news.example>',
    to: 'reader@example.org',
    subject: 'This week: 10 things worth your time 🎉',
    text: 'A long read. '.repeat(400),
    html: paragraphs(120, 'A long read about many things &mdash; with “quotes” and links.'),
    list: {
      unsubscribe: { url: 'https://news.example/u/abc', comment: 'Unsubscribe' },
      id: 'weekly.news.example',
    },
    headers: { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
  }),
  'newsletter in Japanese': () => ({
    from: { name: '株式会社アクメ', address: 'news@acme.example' },
    to: 'taro@example.jp',
    subject: '【重要】システムメンテナンスのお知らせ（11月22日）',
    text: 'いつもご利用いただきありがとうございます。\n'.repeat(30),
    html: paragraphs(40, 'いつもご利用いただきありがとうございます。'),
  }),
  'newsletter in Russian, base64': () => ({
    from: 'Магазин <shop@example.ru>',
    to: 'Иван Петров <ivan@example.ru>',
    subject: 'Скидки недели: до 50 % на всё',
    html: paragraphs(60, 'Только до воскресенья скидки на весь ассортимент.'),
    textEncoding: 'base64',
  }),
  'Arabic, right to left': () => ({
    from: 'مرحبا <hello@example.com>',
    to: 'user@example.com',
    subject: 'تأكيد طلبك رقم ١٢٣٤',
    html: '<div dir="rtl"><p>شكرا لطلبك</p></div>'.repeat(10),
  }),
  'meeting invitation': () => ({
    from: 'Ann <ann@corp.example>',
    to: 'bob@corp.example, carol@corp.example',
    subject: 'Invitation: Planning @ Mon 10:00',
    text: 'You are invited.',
    html: '<p>You are invited.</p>',
    icalEvent: { method: 'REQUEST', filename: 'invitation.ics', content: CALENDAR },
  }),
  'meeting cancelled': () => ({
    from: 'Ann <ann@corp.example>',
    to: 'bob@corp.example',
    subject: 'Cancelled: Planning',
    text: 'Cancelled.',
    icalEvent: { method: 'cancel', content: CALENDAR.replace('REQUEST', 'CANCEL') },
  }),
  'report with inline charts': () => ({
    from: 'reports@analytics.example',
    to: 'team@corp.example',
    subject: 'Weekly report',
    html: '<h1>Report</h1><img src="cid:chart1@r"><img src="cid:chart2@r">',
    attachments: [
      { filename: 'chart1.png', content: PNG, cid: 'chart1@r' },
      { filename: 'chart2.png', content: PNG, cid: 'chart2@r' },
      { filename: 'data.csv', content: 'day,visits\n2026-11-16,1200\n2026-11-17,900\n' },
    ],
  }),
  'report with text, html, inline image and file': (file) => ({
    from: 'reports@analytics.example',
    to: 'team@corp.example',
    subject: 'Monthly report',
    text: 'See the attached report.',
    html: '<img src="cid:logo"><p>See the attached report.</p>',
    attachments: [{ path: file('logo.png'), cid: 'logo' }, { path: file('report.xlsx') }],
  }),
  'inline images as data URIs': () => ({
    from: 'editor@cms.example',
    to: 'author@example.com',
    subject: 'Preview',
    html: '<p><img src="cid:a@x"></p>',
    attachments: [{ path: PIXEL, cid: 'a@x', filename: 'image-1.png' }],
  }),
  'AMP message': () => ({
    from: 'shop@amp.example',
    to: 'user@example.com',
    subject: 'Your cart',
    text: 'Your cart is waiting.',
    amp: '<!doctype html><html ⚡4email><head><meta charset="utf-8"></head><body>Cart</body></html>',
    html: '<p>Your cart is waiting.</p>',
  }),
  'reply in a support thread': () => ({
    from: 'Support <support+t42@helpdesk.example>',
    to: 'customer@example.com',
    replyTo: 'Ticket 42 <reply+42@helpdesk.example>',
    subject: 'Re: [#42] Printer does not print',
    inReplyTo: '<CAF=x1@mail.example.com>',
    references: ['<CAF=x0@mail.example.com>', '<CAF=x1@mail.example.com>'],
    text: 'Hello,\n\n> it does not print\n\nHave you tried turning it off and on again?\n',
  }),
  'mailing list post': () => ({
    from: '"O\'Brien, Pat" <pat@lists.example>',
    to: 'dev@lists.example',
    cc: ['a@example.com', 'b@example.com', 'c@example.com'],
    sender: 'dev-bounces@lists.example',
    subject: '[dev] Proposal: drop support for old things',
    text: 'All,\n\n'.concat('I propose to drop it. '.repeat(60), '\n-- \nPat\n'),
    list: {
      help: 'dev-request@lists.example?subject=help',
      post: 'dev@lists.example',
      archive: 'https://lists.example/dev',
    },
    headers: { Precedence: 'list', 'X-Mailman-Version': '2.1.39' },
  }),
  'alert with high priority': () => ({
    from: 'monitor@ops.example',
    to: 'oncall@ops.example',
    subject: '[CRITICAL] db-1: disk 97% full',
    text: 'host=db-1 metric=disk.used value=97% threshold=90%',
    priority: 'high',
    headers: { 'X-Alert-Id': 918273, 'Auto-Submitted': 'auto-generated' },
  }),
  'log digest as attachment': () => ({
    from: 'cron@ops.example',
    to: 'root@ops.example',
    subject: 'Cron <root@db-1> /usr/local/bin/backup',
    text: 'done',
    attachments: [
      { filename: 'backup.log', content: 'line of log\n'.repeat(3000), contentType: 'text/plain' },
    ],
  }),
  'contact form': () => ({
    from: 'website@agency.example',
    to: 'office@agency.example',
    replyTo: { name: 'Zoë "Zed" O’Neill', address: 'zoe@example.ie' },
    subject: 'Contact form: Zoë "Zed" O’Neill',
    text: 'Name: Zoë "Zed" O’Neill\nMessage:\n  Hello,\n  I have a question…',
  }),
  'order with many rows': () => ({
    from: 'orders@shop.example',
    to: 'customer@example.com',
    subject: 'Order #1000042 confirmed',
    html: `<table>${'<tr><td>Item — very nice</td><td align="right">€ 9.99</td></tr>'.repeat(300)}</table>`,
    messageId: '<order-1000042@shop.example>',
    date: new Date(1763000000000),
  }),
  'shipping notice, minified html': () => ({
    from: 'ship@shop.example',
    to: 'customer@example.com',
    subject: 'Your parcel is on its way',
    html: `<html><body>${'<div class="row"><span>Parcel</span></div>'.repeat(400)}</body></html>`,
  }),
  'two-part with Windows line ends': () => ({
    from: 'erp@corp.example',
    to: 'partner@corp.example',
    subject: 'Delivery note 77',
    text: 'Delivery note 77\r\n================\r\n\r\n1 x Widget\r\n',
    html: '<h1>Delivery note 77</h1>\r\n<p>1 x Widget</p>\r\n',
  }),
  'contract with a long file name': () => ({
    from: 'legal@corp.example',
    to: 'counterparty@example.com',
    subject: 'Contract for signature',
    text: 'Attached.',
    attachments: [
      {
        filename: 'Vertrag über die Lieferung von Büromöbeln – Entwurf 3 (geändert) – zur Unterschrift.docx',
        content: PDF,
      },
    ],
  }),
  'several documents': (file) => ({
    from: 'hr@corp.example',
    to: 'new.hire@example.com',
    subject: 'Welcome aboard',
    html: '<p>Welcome!</p>',
    attachments: ['invoice.pdf', 'report.xlsx', 'logo.png'].map((name) => ({ path: file(name) })),
  }),
  'attachment from base64 text': () => ({
    from: 'api@corp.example',
    to: 'user@example.com',
    subject: 'Your export',
    text: 'Your export is attached.',
    attachments: [{ filename: 'export.zip', content: PDF.toString('base64'), encoding: 'base64' }],
  }),
  'vCard and plain text': () => ({
    from: 'ann@corp.example',
    to: 'bob@example.com',
    subject: 'My contact details',
    text: 'See attached.',
    attachments: [
      {
        filename: 'ann.vcf',
        content: 'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nEND:VCARD\r\n',
        contentType: 'text/vcard',
      },
    ],
  }),
  'forwarded message': () => ({
    from: 'ann@corp.example',
    to: 'bob@example.com',
    subject: 'Fwd: Offer',
    text: 'FYI',
    attachments: [
      { contentType: 'message/rfc822', content: 'From: x@y.example\r\nSubject: Offer\r\n\r\nHello\r\n' },
    ],
  }),
  'only an attachment': () => ({
    from: 'scanner@office.example',
    to: 'ann@office.example',
    subject: 'Scan 0001',
    attachments: [{ filename: 'scan0001.pdf', content: PDF }],
  }),
  'no body': () => ({ from: 'a@example.com', to: 'b@example.com', subject: 'ping' }),
  'undisclosed recipients': () => ({
    from: 'news@club.example',
    to: 'undisclosed-recipients:;',
    bcc: Array.from({ length: 50 }, (_, i) => `member${i}@club.example`),
    subject: 'Meeting minutes',
    text: 'Minutes below.\n',
  }),
  'many recipients with names': () => ({
    from: 'board@club.example',
    to: Array.from({ length: 120 }, (_, i) => ({ name: `Member ${i}`, address: `member${i}@club.example` })),
    subject: 'Annual meeting',
    text: 'See you there.',
  }),
  'own envelope for bounces': () => ({
    from: 'Acme <hello@acme.example>',
    to: 'bob@example.com',
    subject: 'Hello',
    text: 'Hello',
    envelope: { from: 'bounces+42@acme.example', to: ['bob@example.com'] },
    dsn: { id: '42', return: 'headers', notify: ['failure', 'delay'], recipient: 'bounces@acme.example' },
  }),
  'internationalised domain': () => ({
    from: 'info@bücher.example',
    to: 'leser@münchen.example',
    subject: 'Neue Bücher',
    text: 'Neue Bücher sind da.',
  }),
  'internationalised mailbox': () => ({
    from: 'info@example.com',
    to: '用户@例子.example',
    subject: '你好',
    text: '你好，世界',
  }),
  'html from a template file': (file) => ({
    from: 'mailer@corp.example',
    to: 'user@example.com',
    subject: 'From a file',
    html: { path: file('template.html') },
    text: 'From a file',
  }),
  'prepared by another program': () => ({
    from: 'relay@corp.example',
    to: 'user@example.com',
    raw: 'From: relay@corp.example\r\nTo: user@example.com\r\nSubject: raw\r\n\r\nAs it is.\r\n',
  }),
  'watch and csv alternatives': () => ({
    from: 'apps@corp.example',
    to: 'user@example.com',
    subject: 'Steps today',
    text: '10,000 steps',
    watchHtml: '<b>10,000</b> steps',
    html: '<p><b>10,000</b> steps</p>',
    alternatives: [{ contentType: 'text/x-web-markdown', content: '**10,000** steps' }],
  }),
  'signed by its domain': (file, key) => ({
    from: 'Acme <hello@acme.example>',
    to: 'bob@example.com',
    subject: 'Signed – ünïcödé',
    text: 'Signed.\n\n\nTwo  spaces. \n',
    html: '<p>Signed.</p>',
    dkim: { domainName: 'acme.example', keySelector: 'mail', privateKey: key },
  }),
  'survey with prepared header': () => ({
    from: 'survey@tools.example',
    to: '"Smith, Jane (Sales)" <jane@example.com>',
    subject: 'How did we do?',
    html: '<p>Rate us: ★★★★★</p>',
    headers: [
      {
        key: 'X-SMTPAPI',
        value: {
          prepared: true,
          foldLines: true,
          value: JSON.stringify({ category: ['survey'], unique_args: { id: 7 } }),
        },
      },
      { key: 'X-Campaign', value: 'spring-2026' },
    ],
  }),
};

/** Content of the files the corpus attaches. */
const files = {
  'invoice.pdf': PDF,
  'logo.png': PNG,
  'report.xlsx': Buffer.alloc(200000, 'PK\x03\x04 spreadsheet '),
  'template.html': paragraphs(900, 'Ein Absatz aus einer Vorlage, mit Umlauten: äöü.'),
};

module.exports = { corpus, files };
