/** Ids and times as they stand in the examples of the OpenAPI document. */
export const TENANT = 'customer-123';
export const EVENT = '019d3c1e-7f00-7a11-8a22-0123456789ab';
export const WEBHOOK = 'ep_019d3c1e7f007a118a220123456789ab';
export const DELIVERY = `${EVENT}_0123456789abcdef`;
export const ATTEMPT = '019d3c1e-8400-7b21-9c33-89abcdef0123';
export const JOB = '8d0c4a3e-52f1-4c6b-9a57-0f2e4d6c8b1a';
export const KEY = 'key_0123456789abcdef';
export const AT = '2026-11-22T12:00:00.000Z';
export const LATER = '2026-11-22T12:01:04.000Z';
