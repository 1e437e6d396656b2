import * as vscode from 'vscode';
import * as z from 'zod/mini';

import type { NotebookKernel } from './kernel-repair.ts';

/** The Jupyter extension, which alone knows the kernels of its notebooks. */
const JUPYTER = 'ms-toolsai.jupyter';

/** How long a kernel may take for a few lines; one that is stuck must not hold up the others. */
const WITHIN_MS = 30_000;

const isFunction = (value: unknown): boolean => typeof value === 'function';
type GetKernel = (uri: vscode.Uri) => PromiseLike<unknown>;
type ExecuteCode = (code: string, token: vscode.CancellationToken) => AsyncIterable<unknown>;

/** The part of its public API that is used (`@vscode/jupyter-extension` 1.1.1, `api.d.ts`). */
const Api = z.object({ kernels: z.custom<{ readonly getKernel: GetKernel }>(hasFunction('getKernel')) });
const Kernel = z.custom<{
  readonly language: string;
  readonly status: string;
  readonly onDidChangeStatus: vscode.Event<string>;
  readonly executeCode: ExecuteCode;
}>((value) => hasFunction('executeCode')(value) && hasFunction('onDidChangeStatus')(value));
const Output = z.object({ items: z.array(z.object({ data: z.instanceof(Uint8Array) })) });

function hasFunction(name: string): (value: unknown) => boolean {
  return (value) =>
    typeof value === 'object' && value !== null && isFunction((value as Record<string, unknown>)[name]);
}

/** The kernels of the Jupyter extension, where it is there. */
export class JupyterKernels {
  /** One for each of its own, so that a kernel is known again. */
  readonly #known = new WeakMap<object, NotebookKernel>();

  async of(uri: vscode.Uri): Promise<NotebookKernel | undefined> {
    const extension = vscode.extensions.getExtension(JUPYTER);
    // It wakes with its first notebook. Before there are no kernels.
    if (extension?.isActive !== true) return undefined;
    const api = Api.safeParse(extension.exports);
    if (!api.success) return undefined;
    const kernel = Kernel.safeParse(await api.data.kernels.getKernel(uri));
    if (!kernel.success) return undefined;
    const known = this.#known.get(kernel.data) ?? asNotebookKernel(kernel.data);
    this.#known.set(kernel.data, known);
    return known;
  }
}

function asNotebookKernel(kernel: z.infer<typeof Kernel>): NotebookKernel {
  return {
    get language() {
      return kernel.language;
    },
    get status() {
      return kernel.status;
    },
    onDidChangeStatus: (listener) => kernel.onDidChangeStatus(listener),
    async run(code) {
      const cancellation = new vscode.CancellationTokenSource();
      const timer = setTimeout(() => cancellation.cancel(), WITHIN_MS);
      let printed = '';
      try {
        for await (const output of kernel.executeCode(code, cancellation.token)) {
          for (const { data } of Output.parse(output).items) printed += new TextDecoder().decode(data);
        }
        return printed;
      } finally {
        clearTimeout(timer);
        cancellation.dispose();
      }
    },
  };
}
