export * from 'nodemailer/lib/well-known';
export { default } from 'nodemailer/lib/well-known';
