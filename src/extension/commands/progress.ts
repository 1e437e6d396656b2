import * as vscode from 'vscode';

/** An abort signal that follows a cancellation token. */
export function signalOf(token: vscode.CancellationToken): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  else token.onCancellationRequested(() => controller.abort());
  return controller.signal;
}

/** What is done sooner needs no notification: it would only flicker. */
const QUICK_MS = 400;

/** Does something under a notification that can be cancelled, unless it is quick. */
export async function withCancellableProgress<T>(
  title: string,
  work: (signal: AbortSignal, say: (message: string) => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let message: string | undefined;
  let report: ((value: { message: string }) => void) | undefined;
  const working = work(controller.signal, (said) => {
    message = said;
    report?.({ message: said });
  });
  const timer = setTimeout(() => {
    void vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title, cancellable: true },
      (progress, token) => {
        report = (value) => progress.report(value);
        if (message !== undefined) report({ message });
        token.onCancellationRequested(() => controller.abort());
        return working.then(
          () => undefined,
          () => undefined,
        );
      },
    );
  }, QUICK_MS);
  try {
    return await working;
  } finally {
    clearTimeout(timer);
  }
}
