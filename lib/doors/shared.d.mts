export * from 'nodemailer/lib/shared';
