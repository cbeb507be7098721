'use strict';

require('../../upstream');
module.exports = require('nodemailer/lib/fetch/cookies');
