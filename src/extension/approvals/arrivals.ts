import * as vscode from 'vscode';

import { type Clock, SECOND_MS } from '../../domain/time.ts';
import type { RequestView } from '../../protocol/schemas.ts';
import { samePrincipal } from '../../domain/principal.ts';
import type { AccessData } from '../access-view/access-data.ts';
import type { Stoppable } from '../changes.ts';
import { forNotice } from '../plain-text.ts';
import { APPROVAL_NOTICES, APPROVALS_VIEW, commandId, EXTENSION } from '../product.ts';
import { durationWords } from '../time-words.ts';

/** What arrives within so long of a notification is told in one of its own, together. */
const GATHERED_MS = 20 * SECOND_MS;

/** What {@link Arrivals} needs. */
export interface ArrivalOptions {
  readonly model: {
    readonly data: AccessData | undefined;
    readonly onDidChange: (listener: () => void) => Stoppable;
  };
  readonly clock: Clock;
  readonly later: (work: () => void, delayMs: number) => Stoppable;
}

/** Tells an approver of requests that came, few times and with something to press. */
export class Arrivals implements Stoppable {
  readonly #options: ArrivalOptions;
  readonly #watch: Stoppable;
  #before: AccessData | undefined;
  #untold = new Set<string>();
  #toldAtMs: number | undefined;
  #timer: Stoppable | undefined;

  constructor(options: ArrivalOptions) {
    this.#options = options;
    this.#watch = options.model.onDidChange(() => this.#look());
  }

  dispose(): void {
    this.#watch.dispose();
    this.#timer?.dispose();
  }

  #look(): void {
    const { data } = this.#options.model;
    const before = this.#before;
    this.#before = data;
    if (data === undefined || before === undefined || !samePrincipal(before.me, data.me)) {
      this.#untold.clear();
      return;
    }
    const known = new Set(before.toApprove.map(({ id }) => id));
    for (const { id } of data.toApprove) if (!known.has(id)) this.#untold.add(id);
    if (this.#untold.size === 0 || this.#timer !== undefined) return;
    const { clock, later } = this.#options;
    const waitMs = this.#toldAtMs === undefined ? 0 : this.#toldAtMs + GATHERED_MS - clock.nowMs();
    if (waitMs <= 0) void this.#tell();
    else {
      this.#timer = later(() => {
        this.#timer = undefined;
        void this.#tell();
      }, waitMs);
    }
  }

  async #tell(): Promise<void> {
    const { model, clock } = this.#options;
    // What was decided meanwhile needs nobody any more.
    const requests = (model.data?.toApprove ?? []).filter(({ id }) => this.#untold.has(id));
    this.#untold.clear();
    const settings = vscode.workspace.getConfiguration(EXTENSION);
    if (requests.length === 0 || !settings.get<boolean>(APPROVAL_NOTICES, true)) return;
    this.#toldAtMs = clock.nowMs();
    const [only, ...others] = requests;
    const show = vscode.l10n.t('Show');
    const approve = vscode.l10n.t('Approve…');
    const never = vscode.l10n.t("Don't Show Again");
    const isOne = only !== undefined && others.length === 0;
    const choice = await vscode.window.showInformationMessage(
      isOne
        ? arrivalWords(only)
        : vscode.l10n.t('{0} requests have come that wait for your approval.', requests.length),
      ...(isOne ? [show, approve, never] : [show, never]),
    );
    if (choice === never) await settings.update(APPROVAL_NOTICES, false, vscode.ConfigurationTarget.Global);
    else if (choice === approve)
      await vscode.commands.executeCommand(commandId('approve'), { request: only });
    else if (choice === show && isOne)
      await vscode.commands.executeCommand(commandId('showRequest'), { request: only });
    else if (choice === show) await vscode.commands.executeCommand(`${APPROVALS_VIEW}.focus`);
  }
}

function arrivalWords({ requester, role, minutes, purpose }: RequestView): string {
  return vscode.l10n.t(
    '{0} asks for {1} ({2}): {3}',
    forNotice(requester.displayName),
    forNotice(role.title),
    durationWords(vscode.l10n, minutes),
    forNotice(purpose),
  );
}
