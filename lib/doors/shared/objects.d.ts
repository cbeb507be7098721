export * from 'nodemailer/lib/shared/objects';
