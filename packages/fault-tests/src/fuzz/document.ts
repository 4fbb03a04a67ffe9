/** As much of an OpenAPI 3.1 document as is needed to draw requests from it. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export interface DocumentedOperation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly example?: unknown;
}

interface Media {
  readonly schema: Schema;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly enum?: readonly unknown[];
}

export interface Target {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly pathNames: readonly string[];
  readonly queryNames: readonly string[];
  /** What a well-meant request sends, by media type; none for operations without a body. */
  readonly bodies: readonly { readonly type: string; readonly example: unknown }[];
  /** The statuses that the document knows of it. */
  readonly statuses: ReadonlySet<number>;
}

const METHODS = new Set(['get', 'put', 'post', 'delete', 'patch']);

/** Every operation of a document. */
export function targetsOf({ paths }: ApiDocument): Target[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => METHODS.has(method))
      .map(([method, operation]) => toTarget(path, method, operation)),
  );
}

function toTarget(path: string, method: string, operation: DocumentedOperation): Target {
  const named = (place: Parameter['in']) =>
    (operation.parameters ?? []).filter((each) => each.in === place).map(({ name }) => name);
  const content = operation.requestBody?.content ?? {};
  return {
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    pathNames: [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name!),
    queryNames: named('query'),
    bodies: Object.entries(content).map(([type, media]) => ({
      type,
      example: Object.values(media.examples ?? {})[0]?.value ?? {},
    })),
    statuses: new Set(Object.keys(operation.responses).map(Number)),
  };
}
