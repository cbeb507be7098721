export * from 'nodemailer/lib/sendmail-transport';
export { default } from 'nodemailer/lib/sendmail-transport';
