import type { Migration } from '../migrate.ts';

/** Access that was taken in an emergency, and what somebody else found of it afterwards. */
export const breakGlass: Migration = {
  number: 13,
  name: 'break-glass',
  sql: `
    alter table oam.access_request add break_glass boolean not null default false;

    alter table oam.access_grant
      add review text check (review in ('pending', 'ok', 'misuse')),
      add reviewer_iss text,
      add reviewer_sub text,
      add review_comment text,
      add reviewed_at timestamptz,
      add check ((coalesce(review, 'pending') = 'pending') = (reviewed_at is null)),
      add check ((reviewed_at is null) = (reviewer_sub is null)),
      add check ((reviewed_at is null) = (reviewer_iss is null)),
      add check ((reviewed_at is null) = (review_comment is null)),
      add check (reviewer_sub is null or (reviewer_iss, reviewer_sub) <> (iss, sub));
    create index access_grant_to_review on oam.access_grant (created_at, id) where review = 'pending';
  `,
};
