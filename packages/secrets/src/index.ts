export { type KeyRing, parseKeyRing, type RingKey } from './key-ring.ts';
export { secretsConfig, type WithKeyRing, withKeyRing } from './read-key-ring.ts';
export { openSecret, type SealedFor, SealedSecretError, sealSecret } from './sealed-secret.ts';
