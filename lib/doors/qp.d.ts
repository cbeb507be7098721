export * from 'nodemailer/lib/qp';
