/** The product's version. A test holds it to `package.json`, which a bundle does not carry. */
export const PRODUCT_VERSION = '0.1.0';
