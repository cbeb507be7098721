export * from 'nodemailer/lib/stream-transport';
export { default } from 'nodemailer/lib/stream-transport';
