export { DEFAULT_HEADER_PREFIX, type HeaderNames, headerNames, isHeaderPrefix } from './header-names.ts';
export { PRIVATE_KEY_PREFIX, PUBLIC_KEY_PREFIX, SECRET_PREFIX } from './key-text.ts';
export {
  type Ed25519Key,
  type Ed25519PublicKey,
  generatePrivateKey,
  generateSecret,
  type HmacKey,
  type Parsed,
  type ParsedSecret,
  parseKey,
  parsePrivateKey,
  parsePublicKey,
  parseSecret,
  parseSigningKey,
  type SigningKey,
  type VerifyingKey,
} from './keys.ts';
export type { ReceivedHeaders, VerifyFailure, VerifyOptions, VerifyResult } from './read-received.ts';
export { type HeaderOptions, makeSignatures, type SignInput, sign } from './sign.ts';
export type { SignatureHeaders, Signatures } from './signed-content.ts';
export { verify } from './verify.ts';
