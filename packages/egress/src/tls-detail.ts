const NO_COMMON_VERSION = 'the server speaks no TLS 1.2 or 1.3';
const REFUSED_CERTIFICATE = 'the receiver refuses the client certificate';

/** What is wrong with the receiver's certificate, by the code of Node's error. */
const DETAIL: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate chain has an unknown, self-signed root',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is from an unknown issuer',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate chain is incomplete',
  CERT_REVOKED: 'the certificate was revoked',
  ERR_SSL_UNSUPPORTED_PROTOCOL: NO_COMMON_VERSION,
};

/** What the receiver says of ours (RFC 8446 section 6). OpenSSL puts a name of its own before, another one each year. */
const DETAIL_OF_ALERT: Readonly<Record<string, string>> = {
  PROTOCOL_VERSION: NO_COMMON_VERSION,
  HANDSHAKE_FAILURE: 'the receiver refuses the handshake',
  CERTIFICATE_REQUIRED: 'the receiver asks for a client certificate',
  BAD_CERTIFICATE: REFUSED_CERTIFICATE,
  UNSUPPORTED_CERTIFICATE: REFUSED_CERTIFICATE,
  CERTIFICATE_REVOKED: REFUSED_CERTIFICATE,
  CERTIFICATE_EXPIRED: REFUSED_CERTIFICATE,
  CERTIFICATE_UNKNOWN: REFUSED_CERTIFICATE,
  UNKNOWN_CA: REFUSED_CERTIFICATE,
  ACCESS_DENIED: REFUSED_CERTIFICATE,
  UNRECOGNIZED_NAME: 'the receiver does not know the host name',
};

/** What a tenant reads of an error in TLS. */
export function tlsDetail(code: string): string | undefined {
  const [, alert] = code.split('_ALERT_');
  return alert === undefined ? DETAIL[code] : DETAIL_OF_ALERT[alert];
}
