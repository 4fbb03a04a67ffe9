import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';

/** A process of its own, so that its CPU is not counted: answers 200 to every POST, in HTTP/1.1 or HTTP/2 as it is asked. */
const [cert = '', key = ''] = process.argv.slice(2);
const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
  request.resume();
  request.once('end', () => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end('ok');
  });
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
