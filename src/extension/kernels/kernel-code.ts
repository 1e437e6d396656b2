import { HELPER_FOLDER } from '../../cli/kernel/access-board.ts';
import { SIGN_IN_VARIABLE } from '../injection/already-set.ts';
import { NO_TOKEN } from '../injection/mlflow-tracking.ts';
import { type FolderEnvironment, isOfPointer } from '../injection/pointer-target.ts';

/** What became of a pointer that was brought to a kernel. */
export const KERNEL_OUTCOMES = ['set', 'same', 'own', 'elsewhere'] as const;

/**
 * One of {@link KERNEL_OUTCOMES}: `same` where the kernel had it, `own` where the person's own variables win, `elsewhere`
 * where the kernel runs on another machine, to which a pointer leads nobody.
 */
export type KernelOutcome = (typeof KERNEL_OUTCOMES)[number];

/** What the code in a kernel reads. */
export function kernelWish(environment: FolderEnvironment, ours: readonly string[]): string {
  const entries = Object.entries(environment);
  return JSON.stringify({
    pointer: Object.fromEntries(entries.filter(([name]) => isOfPointer(name))),
    beside: Object.fromEntries(entries.filter(([name]) => !isOfPointer(name))),
    ours,
    signIn: SIGN_IN_VARIABLE.source,
    noToken: NO_TOKEN,
  });
}

const MARK = 'oam-pointer';

/**
 * Python that puts a pointer into a kernel's environment, and loads the helper. The pointer lies in a file of the
 * user's own, because the Jupyter extension writes the code that it runs to its log; a kernel on another machine does
 * not find the file.
 */
export function kernelCode(file: string): string {
  return `def _oam_point(path):
    import json, os, re, sys
    try:
        with open(path, encoding="utf-8") as file:
            wish = json.load(file)
    except OSError:
        return "elsewhere"
    pointer, beside, outcome = wish["pointer"], wish["beside"], "same"
    there = {name: os.environ.get(name) for name in pointer}
    if there != pointer:
        others = [name for name in os.environ if name not in pointer and re.match(wish["signIn"], name)]
        others = [name for name in others if os.environ[name] != wish["noToken"]]
        former = there["DATABRICKS_METADATA_SERVICE_URL"] in wish["ours"]
        if others or (any(there.values()) and not former):
            return "own"
        os.environ.update(pointer)
        outcome = "set"
    for name, value in beside.items():
        if name.startswith("OAM_"):
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)
    try:
        if beside["${HELPER_FOLDER}"] not in sys.path:
            sys.path.append(beside["${HELPER_FOLDER}"])
        import oam_access
        oam_access.load()
    except Exception:
        pass
    return outcome
print("${MARK}:" + _oam_point(${JSON.stringify(file)}))
del _oam_point
`;
}

/** What the code printed; undefined where it did not come to its end. */
export function readOutcome(printed: string): KernelOutcome | undefined {
  const said = new RegExp(`${MARK}:(\\w+)`).exec(printed)?.[1];
  return KERNEL_OUTCOMES.find((outcome) => outcome === said);
}
