/** A notebook of these cells, as it lies on the disk. */
export function notebookOf(sources: readonly string[]): string {
  return JSON.stringify({
    cells: sources.map((source, index) => ({
      ...{ cell_type: 'code', id: `cell-${String(index)}`, source },
      ...{ execution_count: null, metadata: {}, outputs: [] },
    })),
    metadata: { kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' } },
    ...{ nbformat: 4, nbformat_minor: 5 },
  });
}
