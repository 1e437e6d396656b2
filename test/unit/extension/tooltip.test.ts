import assert from 'node:assert/strict';

import { tooltipMarkdown } from '../../../src/extension/access-view/tooltip.ts';

describe('the tooltip of a line', () => {
  it('says the line in full, which a narrow side bar cuts, then what else there is to know', () => {
    assert.equal(
      tooltipMarkdown({
        label: 'Query the ranker',
        description: 'granted at once',
        tooltip: ['Sends requests', 'Team recsys'],
      }),
      '**Query the ranker**  \ngranted at once\n\n- Sends requests\n- Team recsys',
    );
  });

  it('says nothing twice', () => {
    assert.equal(
      tooltipMarkdown({
        label: 'ranker',
        description: 'EXECUTE; MANAGE',
        tooltip: ['ranker', 'EXECUTE', 'MANAGE'],
      }),
      '**ranker**\n\n- EXECUTE\n- MANAGE',
    );
    assert.equal(tooltipMarkdown({ label: 'Models', description: undefined, tooltip: [] }), '**Models**');
  });

  it('takes nothing that comes from elsewhere for markup, and lets lines break at spaces', () => {
    const text = tooltipMarkdown({
      label: 'a*b',
      description: undefined,
      tooltip: ['[look](command:workbench.action.quit) at <b>it</b>\n# now'],
    });
    assert.equal(
      text,
      '**a\\*b**\n\n- \\[look\\]\\(command\\:workbench\\.action\\.quit\\) at \\<b\\>it\\<\\/b\\> \\# now',
    );
  });
});
