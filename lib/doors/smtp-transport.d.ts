export * from 'nodemailer/lib/smtp-transport';
export { default } from 'nodemailer/lib/smtp-transport';
