/**
 * What a process that tests start has of their own environment; the rest it is given by name, so that nothing of a
 * developer's shell changes what is tested.
 */
export function inheritedEnvironment(): Readonly<Record<string, string>> {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return {
    ...(PATH === undefined ? {} : { PATH }),
    ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }),
  };
}
