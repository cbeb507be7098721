export * from 'nodemailer/lib/ses-transport';
export { default } from 'nodemailer/lib/ses-transport';
