import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import swaggerUiPath from 'swagger-ui-dist/absolute-path.js';
import Type from 'typebox';
import type { App } from '../app.ts';
import { operation } from '../operation.ts';

const UI_FILES = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
} as const;
type UiFile = keyof typeof UI_FILES;

/** Nothing from elsewhere is loaded; the viewer sets styles of its own. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE = Buffer.from(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Posthorn API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<main id="api"></main>
<noscript>The document is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/open.js"></script>
</body>
</html>
`);
const OPEN = Buffer.from(`window.ui = SwaggerUIBundle({
  url: '/openapi.json', dom_id: '#api', deepLinking: true, docExpansion: 'none', defaultModelsExpandDepth: 0,
  validatorUrl: null, tryItOutEnabled: false,
});
`);

const Page = Type.String({ description: 'A page for browsers.', examples: ['<!doctype html>…'] });

const DOCUMENT = operation({
  id: 'getOpenApiDocument',
  tag: 'System',
  summary: 'This document',
  access: null,
  answers: { 200: Type.Object({}, { description: 'OpenAPI 3.1.', examples: [{ openapi: '3.1.0' }] }) },
});
const PAGE_OPERATION = operation({
  id: 'getDocumentPage',
  tag: 'System',
  summary: 'This document as a page',
  access: null,
  answers: { 200: Page },
  produces: { 200: 'text/html' },
});

/** `/openapi.json`, and at `/docs` a page that shows it. Both without a key: they say nothing of any tenant. */
export function documentRoutes(app: App, document: () => object): void {
  let bytes: Buffer | undefined;
  for (const prefix of ['/v1', '']) {
    app.get(`${prefix}/openapi.json`, DOCUMENT, async (_request, reply) => {
      bytes ??= Buffer.from(JSON.stringify(document()));
      return reply.type('application/json; charset=utf-8').send(bytes as never);
    });
    app.get(`${prefix}/docs`, PAGE_OPERATION, async (_request, reply) =>
      send(reply, PAGE, 'text/html; charset=utf-8'),
    );
  }
  app.get('/docs/open.js', async (_request, reply) => send(reply, OPEN, 'text/javascript; charset=utf-8'));
  for (const file of Object.keys(UI_FILES) as UiFile[]) {
    app.get(`/docs/${file}`, async (_request, reply) => send(reply, readUi(file), UI_FILES[file]));
  }
}

interface Sendable {
  header(name: string, value: string): Sendable;
  type(type: string): Sendable;
  send(payload: never): never;
}

/** The same bytes to all: of a text each connection would hold a copy until its client has read it. */
function send(reply: unknown, bytes: Buffer, type: string): never {
  return (reply as Sendable)
    .header('content-security-policy', CONTENT_SECURITY_POLICY)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .type(type)
    .send(bytes as never);
}

const loaded = new Map<UiFile, Buffer>();

/** Read when it is first asked for: most processes never are. */
function readUi(file: UiFile): Buffer {
  let bytes = loaded.get(file);
  if (bytes === undefined) {
    bytes = readFileSync(join(swaggerUiPath(), file));
    loaded.set(file, bytes);
  }
  return bytes;
}
