export * from 'nodemailer/lib/fetch/cookies';
export { default } from 'nodemailer/lib/fetch/cookies';
