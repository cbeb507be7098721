export * from 'nodemailer/lib/dkim/message-parser';
export { default } from 'nodemailer/lib/dkim/message-parser';
