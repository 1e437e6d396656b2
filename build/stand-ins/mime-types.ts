/**
 * Takes the place of the package `mime-types` in the extension's bundle. Only uploads of files ask for it, which the
 * extension does not do, and its table weighs a quarter of all the rest.
 */
export const lookup = (): false => false;
export const contentType = (): false => false;
