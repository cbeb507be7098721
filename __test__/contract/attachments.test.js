'use strict';

const { contract } = require('../support/contract');

contract('attachments', require('./rows/attachments'));
