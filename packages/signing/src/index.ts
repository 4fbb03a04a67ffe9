export { generateSecret, type ParsedSecret, parseSecret, SECRET_PREFIX, type SigningKey } from './secret.ts';
export { type SignatureHeaders, type SignInput, sign } from './sign.ts';
export {
  type ReceivedHeaders,
  type VerifyFailure,
  type VerifyOptions,
  type VerifyResult,
  verify,
} from './verify.ts';
