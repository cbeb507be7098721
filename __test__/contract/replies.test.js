'use strict';

const { contract } = require('../support/contract');

contract('replies', require('./rows/replies'));
