import type { PathEnd, PointerEnvironment, TokenSource } from '../../../src/broker/index.ts';
import { silentLogger } from '../../../src/domain/logger.ts';
import type { PrincipalKey } from '../../../src/domain/principal.ts';
import type { AlreadySet } from '../../../src/extension/injection/already-set.ts';
import {
  type Folder,
  FolderInjection,
  type Moved,
} from '../../../src/extension/injection/folder-injection.ts';
import { FolderMemory, type Memory } from '../../../src/extension/injection/folder-memory.ts';
import type { FolderEnvironment, PointerTarget } from '../../../src/extension/injection/pointer-target.ts';
import { DEV, PROD } from './views.ts';

export const ANA: PrincipalKey = { iss: 'https://idp', sub: 'ana' };
export const LENA: PrincipalKey = { iss: 'https://idp', sub: 'lena' };
export const ONE: Folder = { uri: 'file:///one', name: 'one' };
export const TWO: Folder = { uri: 'file:///two', name: 'two' };

/** A place of VS Code's to keep things in; on a full disk what is written is in the window alone. */
export function memento(values = new Map<string, unknown>(), isFull = (): boolean => false): Memory {
  return {
    get: (key) => values.get(key),
    update: (key, value) => {
      // As VS Code keeps it: as JSON, in the window at once and on the disk later, if it can.
      if (value === undefined) values.delete(key);
      else values.set(key, JSON.parse(JSON.stringify(value)));
      return isFull() ? Promise.reject(new Error('no space left on device')) : Promise.resolve();
    },
  };
}

/** An editor window with OAM in its folders: what its terminals and kernels hold, and what the broker opened. */
export class FolderWindow {
  folders: Folder[] = [ONE];
  isTrusted = true;
  workspaces = [PROD, DEV];
  found: AlreadySet[] = [];
  port = 4000;
  opened: { path: string; host: string; source: TokenSource; end: PathEnd | undefined }[] = [];
  beside = new Map<string, Record<string, string>>();
  terminals = new Map<string, FolderEnvironment>();
  kernels: FolderEnvironment | undefined;
  moved: Moved[] = [];
  isDiskFull = false;
  /** Set while the broker is being started. */
  brokerGate: Promise<void> | undefined;
  log: string[] = [];
  readonly memory: FolderMemory;
  readonly injection: FolderInjection;

  constructor(memory?: FolderMemory) {
    const isFull = (): boolean => this.isDiskFull;
    this.memory =
      memory ?? new FolderMemory(memento(new Map(), isFull), memento(new Map(), isFull), 'this-machine');
    this.injection = new FolderInjection({
      folders: () => this.folders,
      isTrusted: () => this.isTrusted,
      workspaces: () => this.workspaces,
      alreadySet: () => this.found,
      beside: ({ uri }) => this.beside.get(uri) ?? {},
      besideKernels: (host) => ({ OAM_ACCESS_FILE: `/boards/${host}` }),
      memory: this.memory,
      terminals: ({ uri }): PointerTarget => ({
        set: (pointer) => void this.terminals.set(uri, pointer),
        clear: () => {
          this.terminals.delete(uri);
          this.log.push(`clear ${uri}`);
        },
      }),
      kernels: { set: (pointer) => (this.kernels = pointer), clear: () => (this.kernels = undefined) },
      broker: async () => {
        await this.brokerGate;
        return {
          port: this.port,
          close: () => Promise.resolve(),
          open: ({ path, host, source }) => {
            const entry: FolderWindow['opened'][number] = {
              path: path ?? `path-of-at-least-22-characters-${this.opened.length}`,
              host,
              source,
              end: undefined,
            };
            this.opened.push(entry);
            const end = (reason: PathEnd): void => void (entry.end ??= reason);
            return {
              path: entry.path,
              url: `http://127.0.0.1:${this.port}/${entry.path}`,
              end,
              [Symbol.dispose]: () => end('closed'),
            };
          },
        };
      },
      // A token that says whose it is.
      source: (_host, { sub }) => ({
        token: () => Promise.resolve({ accessToken: `token of ${sub}`, expiresAtMs: 0 }),
      }),
      onRefusal: () => undefined,
      logger: silentLogger,
    });
    this.injection.onDidMove((moved) => this.moved.push(moved));
  }

  kernel(name: keyof PointerEnvironment): string | undefined {
    return this.kernels?.[name];
  }

  /** Lets a program ask on the latest path, and returns whose token it gets. */
  async ask(): Promise<string | undefined> {
    return (await this.opened.at(-1)?.source.token())?.accessToken;
  }

  url(folder: Folder): string | undefined {
    return this.terminals.get(folder.uri)?.DATABRICKS_METADATA_SERVICE_URL;
  }
}

/** A window in which Ana uses the production workspace. */
export async function inUse(): Promise<FolderWindow> {
  const window = new FolderWindow();
  await window.injection.setPerson({ kind: 'signedIn', principal: ANA });
  await window.injection.use(ONE, PROD);
  return window;
}
