export * from 'nodemailer/lib/mime-node/last-newline';
export { default } from 'nodemailer/lib/mime-node/last-newline';
