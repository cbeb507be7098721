export * from 'nodemailer/lib/base64';
