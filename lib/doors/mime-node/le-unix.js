'use strict';

require('../../upstream');
module.exports = require('nodemailer/lib/mime-node/le-unix');
