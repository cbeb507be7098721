'use strict';

const { against } = require('./against');
const { postfix } = require('./postfix');
const cases = require('./cases');

const offers = ['starttls', 'smtps', 'smtputf8', 'dsn', 'size', 'senders', 'chunking'];

against(postfix(), { offers, masks: [[/(\d+ bytes )?queued as \w+/g, 'queued']] }, cases);
