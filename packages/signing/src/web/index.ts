export { DEFAULT_HEADER_PREFIX, type HeaderNames, headerNames, isHeaderPrefix } from '../header-names.ts';
export { PRIVATE_KEY_PREFIX, PUBLIC_KEY_PREFIX, SECRET_PREFIX } from '../key-text.ts';
export type { ReceivedHeaders, VerifyFailure, VerifyOptions, VerifyResult } from '../read-received.ts';
export type { SignatureHeaders } from '../signed-content.ts';
export { generatePrivateKey, generateSecret, type ImportedKey, importKey, type WebKey } from './keys.ts';
export { type SignInput, sign } from './sign.ts';
export { verify } from './verify.ts';
