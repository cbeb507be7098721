export * from 'nodemailer/lib/json-transport';
export { default } from 'nodemailer/lib/json-transport';
