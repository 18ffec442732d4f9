// OpenAI's embeddings. The vectors are not kept.

import { loose, object, word, type CallReader } from './api.js';

export const embeddings: CallReader = {
  kind: 'embedding',
  whole: (answer) => ({ model: word(loose(answer)['model']), usage: object(loose(answer)['usage']) }),
  // There are no streams of them; what claims to be one is complete and says nothing.
  stream: () => ({ isComplete: true, event: () => false, finish: () => ({}) }),
};
