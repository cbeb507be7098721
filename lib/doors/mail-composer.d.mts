export * from 'nodemailer/lib/mail-composer';
export { default } from 'nodemailer/lib/mail-composer';
