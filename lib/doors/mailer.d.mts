export * from 'nodemailer/lib/mailer';
export { default } from 'nodemailer/lib/mailer';
