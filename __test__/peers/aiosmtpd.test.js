'use strict';

const { against } = require('./against');
const { aiosmtpd } = require('./aiosmtpd');
const { logins } = require('./logins');
const cases = require('./cases');

const offers = ['starttls', 'smtps', 'smtputf8', 'size', 'senders'];

against(aiosmtpd(), { offers, masks: [] }, [...cases, ...logins(['PLAIN', 'LOGIN'], 'user')]);
