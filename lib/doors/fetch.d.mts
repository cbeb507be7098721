export * from 'nodemailer/lib/fetch';
export { default } from 'nodemailer/lib/fetch';
