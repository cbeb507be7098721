export * from 'nodemailer/lib/shared/url';
