export * from 'nodemailer/lib/dkim/relaxed-body';
export { default } from 'nodemailer/lib/dkim/relaxed-body';
