'use strict';

const { contract } = require('../support/contract');

contract('connecting', require('./rows/connecting'));
