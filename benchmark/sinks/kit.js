'use strict';
module.exports = {
  startKit() {
    throw new Error('x');
  },
};
