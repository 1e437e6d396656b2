import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';

/** Something that the machine lacks, in one sentence that says what to do. */
export class MissingPrerequisite extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = 'MissingPrerequisite';
  }
}

const succeeds = (command: string, ...args: string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** VS Code has two small native parts that are compiled here. */
export function requireCompiler(): void {
  const compiler = ['c++', 'g++', 'clang++', process.env['CXX'] ?? ''].some(
    (name) => name !== '' && succeeds(name, '--version'),
  );
  if (!compiler || !succeeds('make', '--version')) {
    throw new MissingPrerequisite(
      'No C++ compiler was found, and VS Code needs one once: run `sudo apt-get install build-essential`, then try again.',
    );
  }
}

/** The Python on this machine, checked to be one that can make virtual environments. */
export function requirePython(): string {
  const wished = process.env['PYTHON'];
  const python = (wished === undefined || wished === '' ? ['python3', 'python'] : [wished]).find((name) =>
    succeeds(name, '-c', 'import sys; sys.exit(sys.version_info < (3, 10))'),
  );
  if (python === undefined) {
    throw new MissingPrerequisite(
      'No Python 3.10 or newer was found: run `sudo apt-get install python3 python3-venv`, or name one in PYTHON, then try again.',
    );
  }
  if (!succeeds(python, '-c', 'import venv, ensurepip')) {
    throw new MissingPrerequisite(
      `${python} cannot make virtual environments: run \`sudo apt-get install python3-venv\`, then try again.`,
    );
  }
  return python;
}

/** Refuses a port that somebody listens on. */
export async function requireFreePorts(ports: readonly number[], advice: string): Promise<void> {
  for (const port of ports) {
    if (!(await isFree(port))) {
      throw new MissingPrerequisite(`Port ${String(port)} is taken: stop what listens there, or ${advice}.`);
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
