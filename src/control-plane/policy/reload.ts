import { hasCode } from '../../domain/errors.ts';
import type { Logger } from '../../domain/logger.ts';
import { describeProblem, type FileProblem, FileProblemsError } from '../configuration/problems.ts';
import { type Loop, startLoop } from '../loops/loop.ts';
import { type PolicyFolder, readPolicyFolder, readSettledFolder } from './folder.ts';
import type { LivePolicy, PolicyIntake } from './live.ts';
import type { PolicyVersion } from './version.ts';

/** The folder that versions come from. */
export interface PolicySource {
  readonly path: string;
  /** The content that the present version was made of. */
  readonly contentHash: string;
  /** Makes a version of what was read; throws what is wrong with it. */
  readonly compile: (folder: PolicyFolder) => Promise<PolicyVersion>;
  /** The time between two looks, in milliseconds. */
  readonly pollMs: number;
  /** For how long a folder must not change before it is believed to be whole, in milliseconds. */
  readonly settleMs: number;
}

/** What taking up a changed folder needs. */
export interface ReloadParts {
  readonly live: LivePolicy & PolicyIntake;
  readonly source: PolicySource;
  /** Makes everything ready for a version and puts it on the record. It decides once this is done, and not before. */
  readonly prepare: (version: PolicyVersion) => Promise<void>;
  /** Puts on the record that a content was refused. */
  readonly recordRefused: (problems: readonly FileProblem[], contentHash: string) => Promise<void>;
  /** Called when another version decides. */
  readonly changed: () => void;
  readonly logger: Logger;
}

/** Stands for the content of a folder that is not there. */
const NO_FOLDER = 'no folder';

/**
 * Looks at the folder again and again, by content: a checkout, a copy, a mount that is swapped all look alike. A content
 * that has come to rest is checked as a whole; what passes decides from then on, and what does not never does.
 */
export function startPolicyReload(parts: ReloadParts): Loop {
  const { live, source, logger } = parts;
  let considered = source.contentHash;
  let isGone = false;

  const refuse = async (problems: readonly FileProblem[], contentHash: string): Promise<void> => {
    live.fallBehind();
    logger.error('The policy folder cannot be used as it is. The version before goes on to decide.', {
      policy: live.current().hash,
      problems: problems.map(describeProblem).join('\n'),
    });
    await parts.recordRefused(problems, contentHash);
    considered = contentHash;
  };

  const consider = async (folder: PolicyFolder): Promise<void> => {
    let version: PolicyVersion;
    try {
      version = await source.compile(folder);
    } catch (error) {
      await refuse(problemsOf(error, source.path), folder.contentHash);
      return;
    }
    const isAnother = version.hash !== live.current().hash;
    if (isAnother) await parts.prepare(version);
    // The same version comes back where only words beside the rules changed, or a mistake was taken back.
    live.take(isAnother ? version : live.current());
    considered = folder.contentHash;
    if (!isAnother) return;
    logger.info('Another version of the policy decides from now on.', { policy: version.hash });
    parts.changed();
  };

  return startLoop({
    name: 'policy',
    pollMs: source.pollMs,
    logger,
    work: async () => {
      try {
        const { contentHash } = await readPolicyFolder(source.path);
        isGone = false;
        if (contentHash === considered) return false;
        const folder = await readSettledFolder(source.path, source.settleMs);
        if (folder.contentHash !== considered) await consider(folder);
      } catch (error) {
        if (hasCode(error, 'policy_folder_unsettled')) {
          logger.warn('The policy folder changes while it is read; it is read again.', {
            folder: source.path,
          });
          return false;
        }
        if (!hasCode(error, 'policy_folder_missing')) throw error;
        // Some tools put another folder in its place: for a moment there is none.
        if (isGone && considered !== NO_FOLDER) await refuse(problemsOf(error, source.path), NO_FOLDER);
        isGone = true;
      }
      return false;
    },
  });
}

/** Whatever keeps a content from being a version is a reason to refuse it. */
function problemsOf(error: unknown, folder: string): readonly FileProblem[] {
  if (error instanceof FileProblemsError) return error.problems;
  return [
    { file: folder, line: undefined, message: error instanceof Error ? error.message : 'unknown trouble' },
  ];
}
