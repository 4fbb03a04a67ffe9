/** The other side of a connection, and how its configuration keys begin. */
export interface Peer {
  readonly name: 'Kafka' | 'Postgres';
  readonly prefix: 'KAFKA' | 'DATABASE';
  readonly hasCaFile: boolean;
}

export interface Refusal {
  readonly code?: string | undefined;
  readonly message: string;
}

/**
 * A sentence for people: why the two sides would not have each other, and what to change. Undefined for what waiting
 * may mend: a server that is away.
 */
export type ExplainRefusal = (error: Refusal, at: string) => string | undefined;

const UNKNOWN_ISSUER = new Set([
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const NO_TLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'TLS_NOT_OFFERED',
  'CLOSED_IN_HANDSHAKE',
]);

/** For errors of Node's TLS; codes that start with ERR_SSL and have ALERT in them are the other side's word. */
export const explainTls =
  ({ name, prefix, hasCaFile }: Peer): ExplainRefusal =>
  ({ code = '', message }, at) => {
    const server = `${name} at ${at}`;
    const tls = `${prefix}_TLS`;
    if (UNKNOWN_ISSUER.has(code)) {
      const by = hasCaFile ? `not signed by an authority in ${prefix}_CA_FILE` : 'signed by nobody we trust';
      return `${server}: its certificate is ${by} (${code}): set ${prefix}_CA_FILE to the PEM file of the authority that signed it`;
    }
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
      return `${server}: its certificate is for another name (${message}): connect by a name in the certificate, or give the server one for this name`;
    if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
      return `${server}: its certificate ${code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet'}: renew it on the server (and see that both clocks are right)`;
    if (NO_TLS.has(code))
      return `${server} does not speak TLS on this port: give the port that does, or set ${tls}=off where plain text is meant`;
    if (/^ERR_SSL_.*ALERT/.test(code))
      return `${server} ended the TLS handshake (${code.replace(/^.*ALERT_/, '').toLowerCase()}): see ${prefix}_CERT_FILE and ${prefix}_KEY_FILE, it may want a client certificate or refuse this one`;
    if (code === 'TLS_SILENT')
      return `${server} did not answer the TLS handshake in time: does this port speak TLS? (${tls})`;
    return undefined;
  };
