export * from 'nodemailer/lib/errors';
