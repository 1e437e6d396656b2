import type { Localise } from '../../../src/extension/localise.ts';

/** English, as VS Code puts the values into the texts. */
export const english: Localise = {
  t: (message, ...values) =>
    message.replace(/\{(\d+)\}/g, (whole, index: string) => {
      const value = values[Number(index)];
      return value === undefined ? whole : String(value);
    }),
};
