export * from 'nodemailer/lib/mime-node/le-unix';
export { default } from 'nodemailer/lib/mime-node/le-unix';
