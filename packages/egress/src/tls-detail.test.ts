import { expect, test } from 'vitest';
import { tlsDetail } from './tls-detail.ts';

test.each([
  ['CERT_HAS_EXPIRED', 'the certificate has expired'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'the receiver asks for a client certificate'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'the receiver refuses the client certificate'],
  ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'the receiver refuses the client certificate'],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'the receiver refuses the client certificate'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'the server speaks no TLS 1.2 or 1.3'],
  ['ERR_SSL_TLSV1_ALERT_SOMETHING_NEW', undefined],
  ['ERR_SSL_SOMETHING_ELSE', undefined],
])('%s reads: %s', (code, detail) => {
  expect(tlsDetail(code)).toBe(detail);
});
