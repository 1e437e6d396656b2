import type { GrantView, RequestView } from '../../protocol/schemas.ts';

/** The parts of the view below what waits, in their order. */
export const APPROVAL_SECTIONS = ['reviews', 'handled'] as const;

/** One of {@link APPROVAL_SECTIONS}. */
export type ApprovalSection = (typeof APPROVAL_SECTIONS)[number];

/** A line of the view "Approvals". */
export type ApprovalNode =
  | { readonly kind: 'toApprove'; readonly request: RequestView }
  | { readonly kind: 'section'; readonly section: ApprovalSection; readonly count: number }
  | { readonly kind: 'review'; readonly grant: GrantView }
  | { readonly kind: 'handled'; readonly request: RequestView };
