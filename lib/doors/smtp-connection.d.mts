export * from 'nodemailer/lib/smtp-connection';
export { default } from 'nodemailer/lib/smtp-connection';
