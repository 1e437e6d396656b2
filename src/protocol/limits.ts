/** The longest purpose, in characters. */
export const PURPOSE_MAX_CHARACTERS = 2_000;

/** The shortest window, in minutes: Databricks refuses tokens that live for less. */
export const WINDOW_MIN_MINUTES = 1;

/** The longest window that any role may have, in minutes (30 days). */
export const WINDOW_MAX_MINUTES = 43_200;

/** How far ahead access can be asked for, in days. */
export const START_MAX_DAYS = 30;

/** The longest time that any role may be held without a gap, extensions included, in minutes (90 days). */
export const HELD_MAX_MINUTES = 129_600;

/** The most rows on one page of a list. */
export const PAGE_MAX_ROWS = 200;

/** The rows on one page where the client does not say. */
export const PAGE_DEFAULT_ROWS = 50;

/** How far back an approver sees what a requester asked before, in days. */
export const BACKGROUND_DAYS = 90;
