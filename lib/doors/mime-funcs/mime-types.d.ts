export * from 'nodemailer/lib/mime-funcs/mime-types';
