export * from 'nodemailer/lib/mime-node';
export { default } from 'nodemailer/lib/mime-node';
