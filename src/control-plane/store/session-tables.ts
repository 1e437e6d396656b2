/** Tokens that workloads present, by their hashes. */
export interface WorkloadTokenTable {
  sha256: string;
  iss: string;
  sub: string;
  issued_at: Date;
  expires_at: Date;
}

/** Tokens that have been used here, by a hash of what tells them apart, until they expire. */
export interface SessionSeenTable {
  iss: string;
  sub: string;
  token_hash: string;
  expires_at: Date;
}

/** A sign-in that its person ended. */
export interface EndedSignInTable {
  iss: string;
  sub: string;
  session: string;
  ended_at: Date;
}

/** A person's session, where sessions are limited. */
export interface PersonSessionTable {
  session_hash: string;
  began_at: Date;
  used_at: Date;
}
