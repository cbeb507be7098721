export * from 'nodemailer/lib/addressparser';
export { default } from 'nodemailer/lib/addressparser';
