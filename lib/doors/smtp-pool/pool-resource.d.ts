export * from 'nodemailer/lib/smtp-pool/pool-resource';
export { default } from 'nodemailer/lib/smtp-pool/pool-resource';
