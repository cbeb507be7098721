export * from 'nodemailer/lib/smtp-connection/http-proxy-client';
export { default } from 'nodemailer/lib/smtp-connection/http-proxy-client';
