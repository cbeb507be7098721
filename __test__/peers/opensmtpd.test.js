'use strict';

const { against } = require('./against');
const { opensmtpd } = require('./opensmtpd');
const cases = require('./cases');

const offers = ['dsn', 'size', 'senders'];

against(opensmtpd(), { offers, masks: [[/\w{8} Message/g, 'Message']] }, cases);
