import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../checks/repository.ts';

const DESCRIBE = 'services/ingest/src/http/openapi/describe-api.ts';

/** The OpenAPI document as it is committed. */
export async function loadDocument(): Promise<string> {
  const { describeApi } = (await import(pathToFileURL(join(root, DESCRIBE)).href)) as {
    describeApi: () => Promise<{ document: object }>;
  };
  return `${JSON.stringify((await describeApi()).document, null, 2)}\n`;
}
