export * from 'nodemailer/lib/smtp-pool';
export { default } from 'nodemailer/lib/smtp-pool';
