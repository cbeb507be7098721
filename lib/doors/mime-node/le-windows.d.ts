export * from 'nodemailer/lib/mime-node/le-windows';
export { default } from 'nodemailer/lib/mime-node/le-windows';
