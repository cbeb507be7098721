export * from 'nodemailer/lib/xoauth2';
export { default } from 'nodemailer/lib/xoauth2';
