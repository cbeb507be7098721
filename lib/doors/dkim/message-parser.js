'use strict';

require('../../upstream');
module.exports = require('nodemailer/lib/dkim/message-parser');
