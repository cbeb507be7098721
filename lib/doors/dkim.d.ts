export * from 'nodemailer/lib/dkim';
export { default } from 'nodemailer/lib/dkim';
