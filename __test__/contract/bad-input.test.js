'use strict';

const { contract } = require('../support/contract');

contract('bad-input', require('./rows/bad-input'));
