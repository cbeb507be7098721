export * from 'nodemailer/lib/punycode';
