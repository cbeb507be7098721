export * from 'nodemailer/lib/mailer/mail-message';
export { default } from 'nodemailer/lib/mailer/mail-message';
