/** Puts something else into an object's place `name` until disposed. */
export function stub(object: object, name: string, value: unknown): Disposable {
  const before = Object.getOwnPropertyDescriptor(object, name);
  if (before === undefined) throw new Error(`There is nothing to replace: ${name}`);
  Object.defineProperty(object, name, { configurable: true, enumerable: true, writable: true, value });
  return {
    [Symbol.dispose]() {
      Object.defineProperty(object, name, before);
    },
  };
}
