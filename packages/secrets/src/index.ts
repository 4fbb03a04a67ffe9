export {
  type DerivedKeys,
  deriveKeys,
  describeKeyRing,
  type KeyRing,
  MAX_RING_KEYS,
  parseKeyRing,
  type RingKey,
} from './key-ring.ts';
export {
  type GivenKeys,
  readKeyRing,
  secretsConfig,
  type WithKeyRing,
  withKeyRing,
} from './read-key-ring.ts';
export {
  isSealedAsNow,
  openSecret,
  type SealedFor,
  SealedSecretError,
  sealOf,
  sealSecret,
} from './sealed-secret.ts';
