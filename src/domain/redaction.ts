/**
 * Masks secrets in text that is about to leave the process (logs, reports). Two nets: the exact values of
 * live secrets that were registered, and the shapes that secrets have.
 */
export interface Redactor {
  /**
   * Registers a live secret. Every later occurrence of it is masked, also URL-encoded, until disposed.
   * Values shorter than eight characters are ignored: masking them would eat ordinary words.
   */
  register(secret: string): Disposable;
  /** The text with every secret masked. */
  redact(text: string): string;
}

const MASK = '‹redacted›';

const MINIMUM_SECRET_LENGTH = 8;

const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g, MASK],
  [/\bdapi[0-9a-f]{8,}(?:-\d+)?/gi, MASK],
  [/\boamw_[\w-]{16,}/g, MASK],
  [/\bdose[0-9a-f]{16,}/gi, MASK],
  [/\bdoau[0-9a-f]{16,}/gi, MASK],
  [
    /\b(authorization|x-oam-authorization|cookie|set-cookie)(["']?\s*[:=]\s*["']?)[^"'\r\n]+/gi,
    `$1$2${MASK}`,
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  [
    /\b((?:access|refresh|id|subject|session)_?token|client_?secret|code_?verifier|device_?code|password|assertion)(["']?\s*[:=]\s*["']?)[^\s"'&,;}]+/gi,
    `$1$2${MASK}`,
  ],
  [/([?&#](?:code|state|nonce)=)[^&\s"']+/gi, `$1${MASK}`],
];

/** Creates an empty redactor. */
export function createRedactor(): Redactor {
  const live = new Map<string, number>();

  const forget = (value: string): void => {
    const holders = live.get(value) ?? 0;
    if (holders <= 1) live.delete(value);
    else live.set(value, holders - 1);
  };

  return {
    register(secret) {
      if (secret.length < MINIMUM_SECRET_LENGTH) return { [Symbol.dispose]: () => undefined };
      const forms = [...new Set([secret, encodeURIComponent(secret)])];
      for (const form of forms) live.set(form, (live.get(form) ?? 0) + 1);
      let disposed = false;
      return {
        [Symbol.dispose]() {
          if (disposed) return;
          disposed = true;
          forms.forEach(forget);
        },
      };
    },
    redact(text) {
      let clean = text;
      // The longest first, so that no secret survives in part because a shorter one inside it was masked before.
      for (const secret of [...live.keys()].sort((a, b) => b.length - a.length)) {
        clean = clean.replaceAll(secret, MASK);
      }
      for (const [shape, mask] of SHAPES) clean = clean.replace(shape, mask);
      return clean;
    },
  };
}

const RECENT = 8;

/** Keeps the last few secrets that come one after the other masked: no more than that are alive at any time. */
export function registerRecent(redactor: Redactor, count = RECENT): (secret: string) => void {
  const recent: Disposable[] = [];
  return (secret) => {
    recent.push(redactor.register(secret));
    if (recent.length > count) recent.shift()?.[Symbol.dispose]();
  };
}
