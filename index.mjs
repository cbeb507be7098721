/** The ESM door: the same objects as `require('postpool')`. */
import postpool from './index.js';

export const { createTransport, createTestAccount, getTestMessageUrl, pool } = postpool;
export default postpool;
