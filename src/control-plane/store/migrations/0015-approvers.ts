import type { Migration } from '../migrate.ts';

/**
 * Approvers by more than their groups. What identity providers say besides groups and duty is kept with the other
 * facts. An audience is a list of stages, each a list of demands, each a list of marks of which its approver bears one:
 * what was there before went by groups alone.
 */
export const approvers: Migration = {
  number: 15,
  name: 'approvers',
  sql: `
    alter table oam.principal add attributes jsonb not null default '{}';

    create function oam.audience_of(groups text[]) returns jsonb language sql immutable return
      case when groups = '{}' then '[]'
        else jsonb_build_array(jsonb_build_array(to_jsonb(array(select 'group:' || g from unnest(groups) g)))) end;

    alter table oam.access_request add awaited jsonb not null default '[]';
    update oam.access_request set awaited = oam.audience_of(awaited_groups);
    drop index oam.access_request_awaited;
    alter table oam.access_request alter awaited drop default, drop awaited_groups, drop approver_groups;
    create index access_request_open on oam.access_request (created_at, id)
      where state in ('pending', 'awaiting_requester');

    alter table oam.event add audience jsonb not null default '[]';
    update oam.event set audience = oam.audience_of(approver_groups);
    alter table oam.event alter audience drop default, drop approver_groups;

    alter table oam.access_grant add reviewers jsonb;
    update oam.access_grant set reviewers = (
      select coalesce(jsonb_agg(jsonb_build_array(
        (select jsonb_agg('group:' || g) from jsonb_array_elements_text(stage -> 'approverGroups') g))), '[]')
      from jsonb_array_elements(role -> 'approval') stage)
      where review is not null;
    alter table oam.access_grant add check ((review is null) = (reviewers is null));

    drop function oam.audience_of;
  `,
};
