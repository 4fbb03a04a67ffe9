import { below, isObject, mapSchemas } from '../../check-payload/schema-walk.ts';
import type { Fault } from '../../http/problem.ts';
import { cutPointer } from '../../http/validation.ts';
import { MAX_SCHEMA_BYTES } from './schema.ts';

const COMPONENTS = '#/components/schemas/';

/**
 * A schema of an OpenAPI document that stands for itself: the components that it refers to, and those that they refer
 * to, come with it under `$defs`. Null for none; faults are collected.
 */
export function bundleSchema(
  document: Record<string, unknown>,
  schema: unknown,
  pointer: string,
  faults: Fault[],
): unknown {
  if (schema === null) return null;
  if (!isObject(schema)) {
    faults.push({ pointer: cutPointer(pointer), detail: 'must be an object' });
    return null;
  }
  const components = componentsOf(document);
  const bundled = new Map<string, unknown>();
  const wanted: string[] = [];
  let bytes = 0;
  const localise = (of: unknown, at: string): unknown =>
    mapSchemas(of, (each, below_) => {
      const { $ref } = each;
      if (typeof $ref !== 'string' || $ref === '#' || !$ref.startsWith('#/')) return each;
      const name = nameIn($ref, components);
      if (name === null) {
        const detail = 'refers to nothing under components/schemas: nothing else is followed';
        faults.push({ pointer: cutPointer(`${at}${below_}/$ref`), detail });
        return each;
      }
      if (!bundled.has(name)) wanted.push(name);
      return { ...each, $ref: `#/$defs/${$ref.slice(COMPONENTS.length)}` };
    });
  const root = localise(schema, pointer) as Record<string, unknown>;
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (bundled.has(name)) continue;
    const component = components[name];
    bytes += JSON.stringify(component).length;
    if (bytes > MAX_SCHEMA_BYTES) {
      faults.push({
        pointer: cutPointer(pointer),
        detail: `needs more than ${MAX_SCHEMA_BYTES} bytes of components`,
      });
      return null;
    }
    bundled.set(name, null);
    bundled.set(name, localise(component, below('/document/components/schemas', name)));
  }
  if (bundled.size === 0) return root;
  const own = isObject(root.$defs) ? root.$defs : {};
  return { ...root, $defs: Object.fromEntries([...Object.entries(own), ...bundled]) };
}

function componentsOf(document: Record<string, unknown>): Record<string, unknown> {
  const { components } = document;
  return isObject(components) && isObject(components.schemas) ? components.schemas : {};
}

/** The component that a reference leads to, or into. */
function nameIn(ref: string, components: Record<string, unknown>): string | null {
  if (!ref.startsWith(COMPONENTS)) return null;
  const part = ref.slice(COMPONENTS.length).split('/', 1)[0]!;
  const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
  return Object.hasOwn(components, name) ? name : null;
}
