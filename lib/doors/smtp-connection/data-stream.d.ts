export * from 'nodemailer/lib/smtp-connection/data-stream';
export { default } from 'nodemailer/lib/smtp-connection/data-stream';
