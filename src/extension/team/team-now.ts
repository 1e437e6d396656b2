import { OamError } from '../../domain/errors.ts';
import type { TeamData } from './team-data.ts';
import type { TeamModel } from './team-model.ts';

/**
 * What is known of the teams now.
 *
 * @throws {OamError} why it could not be read; `not_a_lead` for somebody who leads none.
 */
export async function teamNow(team: TeamModel): Promise<TeamData> {
  await team.read();
  if (team.data !== undefined) return team.data;
  if (team.state.kind === 'failed') throw team.state.error;
  throw new OamError('not_a_lead', 'You lead no team. What you hold yourself is under My Access.');
}
