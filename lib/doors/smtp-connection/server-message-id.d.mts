export * from 'nodemailer/lib/smtp-connection/server-message-id';
