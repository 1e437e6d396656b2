import type { CallInput, CallOutput, ControlPlaneClient } from '../../../src/protocol/client.ts';
import type { OperationId } from '../../../src/protocol/endpoints.ts';

/** A control plane that answers from a table and keeps what it was asked. */
export function fakeControlPlane(answers: {
  [Id in OperationId]?: (input: CallInput<Id>) => CallOutput<Id> | Promise<CallOutput<Id>>;
}): {
  client: ControlPlaneClient;
  asked: OperationId[];
} {
  const asked: OperationId[] = [];
  const client: ControlPlaneClient = {
    call(operation, input) {
      asked.push(operation);
      const answer = answers[operation];
      if (answer === undefined) return Promise.reject(new Error(`not expected: ${operation}`));
      try {
        return Promise.resolve(answer(input ?? {}));
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
    },
  };
  return { client, asked };
}
