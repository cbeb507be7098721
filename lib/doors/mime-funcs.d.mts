export * from 'nodemailer/lib/mime-funcs';
