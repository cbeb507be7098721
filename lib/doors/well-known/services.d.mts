import type { WellKnownServiceDefinition } from 'nodemailer/lib/well-known';
declare const services: Record<string, WellKnownServiceDefinition>;
export default services;
