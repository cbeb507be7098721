export * from 'nodemailer/lib/dkim/sign';
export { default } from 'nodemailer/lib/dkim/sign';
