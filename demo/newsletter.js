'use strict';

const NAMES = [
  'Zoë Müller',
  'José Ñandú',
  'Łukasz Wójcik',
  'Ἀλέξανδρος',
  '山田 花子',
  'Søren Åberg',
  'Чайка',
  'Ada',
];
const STORIES = [
  ['Grüße aus dem Süden', 'Die Mandelblüte kam früh in diesem Jahr — fünf Bilder, und wo sie entstanden.'],
  [
    'Un café, s’il vous plaît',
    'Où l’on trouve encore un bon crème à moins de deux euros, et à quelle heure y aller.',
  ],
  ['Smörgåsbord för två', 'Sju små rätter som går att göra på en timme, i en ordning som fungerar.'],
  ['朝の散歩', '川沿いの道を三キロ。橋を渡ると、小さな豆腐屋がもう開いている。'],
  ['Žluťoučký kůň', 'Příliš dlouhá cesta na to, aby se jela najednou; ale dá se rozdělit na tři dny.'],
];
const HTML_BYTES = 20_000;
const ATTACHMENT_EVERY = 50;
const ATTACHMENT = Buffer.from(Uint8Array.from({ length: 100 * 1024 }, (_, i) => (i * 7919) % 251));

function story(number) {
  const [title, teaser] = STORIES[number % STORIES.length];
  return `<tr><td style="padding: 12px 24px; font: 16px/1.5 Georgia, serif; color: #222">
<h2 style="margin: 0 0 4px; font-size: 20px">${number + 1}. ${title}</h2>
<p style="margin: 0">${teaser} <a href="https://news.example/stories/${number}">Weiter&nbsp;→</a></p>
</td></tr>\n`;
}

/** The part that is the same for everyone, filled up to about 20 KB of UTF-8. */
function commonBody() {
  let body = '';
  for (let number = 0; Buffer.byteLength(body) < HTML_BYTES; number++) body += story(number);
  return body;
}

const BODY = commonBody();

/** The newsletter for one reader: text and HTML, every fiftieth with an attachment. */
function newsletter(number, { from, to }) {
  const name = NAMES[number % NAMES.length];
  const code = (number * 2654435761).toString(36).toUpperCase();
  return {
    from: { name: 'Die Wochenpost', address: from ?? 'newsletter@postpool.example' },
    to: { name, address: to ?? `reader-${number}@postpool.example` },
    subject: `${name}, your week № ${(number % 52) + 1} — five stories`,
    text: `Dear ${name},\n\nfive stories for you: https://news.example/?reader=${code}\n\nBis nächste Woche!\n`,
    html: `<!doctype html>\n<html><body><p>Dear ${name},</p><table>\n${BODY}</table><p>Your code: ${code}</p></body></html>\n`,
    headers: { 'List-Unsubscribe': `<https://news.example/unsubscribe?reader=${code}>` },
    ...((number + 1) % ATTACHMENT_EVERY === 0 && {
      attachments: [{ filename: 'prospekt.pdf', content: ATTACHMENT, contentType: 'application/pdf' }],
    }),
  };
}

module.exports = { newsletter };
